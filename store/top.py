"""What operators look at, read from the tables of the bridge: rates, lag, what waits.

Nothing here changes anything, and each question is one statement, so that a live view and a metrics endpoint may ask
every few seconds. Ages are taken by the server's clock alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from store.bridges import SILENCE
from store.database import Database, Row
from store.queries import load

_SQL: Final = load("top")


@dataclass(frozen=True, slots=True)
class Figures:
    """How things stand.

    Attributes:
        lag: Age of the oldest event that is recorded and has no outcome; zero where there is none.
        dead_letters: Dead letters that nobody has dealt with.
        outbox: Events that wait to be published.
        parked: Events in the outbox that no queue took.
        outbox_age: How long the oldest of them has waited; zero where none does.
        held: Events that wait for the run that they are for.
        delayed: Events that wait for their next try.
        bridges: Bridges with a sign of life.
    """

    lag: timedelta
    dead_letters: int
    outbox: int
    parked: int
    outbox_age: timedelta
    held: int
    delayed: int
    bridges: int


@dataclass(frozen=True, slots=True)
class Rate:
    """How many events of a type were recorded lately, and by outcome; `open` counts those without one."""

    event_type: str
    events: int
    outcomes: Mapping[str, int]
    open: int


async def read_figures(database: Database) -> Figures:
    """Return how things stand; errors as of `Database.transaction`."""
    [row] = await database.fetch(_SQL["figures"], SILENCE)
    return Figures(
        lag=_age(row, "unhandled_since"),
        dead_letters=row["dead_letters"],
        outbox=row["outbox"],
        parked=row["parked"],
        outbox_age=_age(row, "outbox_since"),
        held=row["held"],
        delayed=row["delayed"],
        bridges=row["bridges"],
    )


async def read_rates(database: Database, window: timedelta) -> list[Rate]:
    """Return what was recorded within `window`, by type, the busiest first; errors as of `Database.transaction`."""
    by_type: dict[str, dict[str | None, int]] = {}
    for row in await database.fetch(_SQL["rates"], window):
        by_type.setdefault(row["event_type"], {})[row["outcome"]] = row["events"]
    rates = [_rate(event_type, counts) for event_type, counts in by_type.items()]
    return sorted(rates, key=lambda rate: (-rate.events, rate.event_type))


def _rate(event_type: str, counts: Mapping[str | None, int]) -> Rate:
    outcomes = {outcome: count for outcome, count in counts.items() if outcome is not None}
    return Rate(event_type, sum(counts.values()), outcomes, counts.get(None, 0))


def _age(row: Row, name: str) -> timedelta:
    since: datetime | None = row[name]
    read_at: datetime = row["read_at"]
    return timedelta() if since is None else max(read_at - since, timedelta())

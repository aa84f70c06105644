"""Readers of the event log that never skip an event.

An event gets its position before its transaction commits, so a reader that remembered only the highest position would
pass over what commits late. Here the order is that of transactions, then of positions, and what is read ends below
the oldest transaction that is still open: nothing can be added any more to what a cursor has passed. The price is
that a transaction which stays open, anywhere on the server, holds the readers up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from contracts.json import Json
from store.database import Database, Row
from store.queries import load

_SQL: Final = load("event_log")


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """A place in the log: everything up to it was read. `Cursor()` is before the first event."""

    xact: int = 0
    position: int = 0


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events are wanted: those for which all that is given holds.

    Attributes:
        patterns: Topic patterns such as `order.*`; one of them fits the type.
        from_: Recorded at this moment or later.
        to: Recorded before this moment.
        outcomes: One of these words.
        correlation_id: This one.
        group_key: This one.
    """

    patterns: Sequence[str] = ()
    from_: datetime | None = None
    to: datetime | None = None
    outcomes: Sequence[str] = ()
    correlation_id: str | None = None
    group_key: str | None = None


@dataclass(frozen=True, slots=True)
class Logged:
    """A row of the log; `envelope` is the event as it travelled, and `event_id` its identity."""

    xact: int
    position: int
    day: date
    event_id: str
    event_type: str
    event_version: str
    source: str
    occurred_at: datetime
    recorded_at: datetime
    correlation_id: str
    group_key: str | None
    priority: int
    envelope: Mapping[str, Json]
    outcome: str | None
    reason: str | None
    effects: Mapping[str, Json]
    handled_at: datetime | None

    @property
    def cursor(self) -> Cursor:
        """The place just behind it."""
        return Cursor(self.xact, self.position)


EVERYTHING: Final = Filter()


async def read_after(database: Database, cursor: Cursor, limit: int, where: Filter = EVERYTHING) -> list[Logged]:
    """Return the next events behind the cursor, at most `limit`; go on with the last one's `cursor`."""
    return _logged(
        await database.fetch(_SQL["read_after"], str(cursor.xact), cursor.position, limit, *_arguments(where))
    )


async def latest(database: Database, limit: int, where: Filter = EVERYTHING) -> list[Logged]:
    """Return the latest events, at most `limit`, the oldest of them first."""
    rows = await database.fetch(_SQL["latest"], limit, *_arguments(where))
    return _logged(rows[::-1])


async def count(database: Database, where: Filter = EVERYTHING, after: Cursor | None = None) -> int:
    """Return how many events a reader would get now."""
    cursor = after or Cursor()
    rows = await database.fetch(_SQL["count"], str(cursor.xact), cursor.position, *_arguments(where))
    return int(rows[0]["events"])


async def horizon(database: Database) -> Cursor:
    """Return the cursor of a reader that wants only what is not readable yet."""
    rows = await database.fetch(_SQL["horizon"])
    return Cursor(int(rows[0]["xact"]))


async def find(database: Database, event_id: str) -> list[Logged]:
    """Return an event's rows by its identity, the oldest first: several where it came again after the window."""
    return _logged(await database.fetch(_SQL["find"], event_id))


def _logged(rows: Sequence[Row]) -> list[Logged]:
    return [Logged(**{**row, "envelope": json.loads(row["envelope"]), "effects": row["effects"] or {}}) for row in rows]


def _arguments(where: Filter) -> tuple[object, ...]:
    return (
        _regular_expression(where.patterns) if where.patterns else None,
        where.from_,
        where.to,
        list(where.outcomes) or None,
        where.correlation_id,
        where.group_key,
    )


def _regular_expression(patterns: Sequence[str]) -> str:
    """What fits a dot and a type that one of the topic patterns fits."""
    return f"^({'|'.join(''.join(_word(word) for word in pattern.split('.')) for pattern in patterns)})$"


def _word(word: str) -> str:
    match word:
        case "#":
            return r"(\.[^.]+)*"
        case "*":
            return r"\.[^.]+"
    return r"\." + re.escape(word)

"""What a replay takes from the event log, and how far it is.

The events of a replay are fixed when it begins: those of transactions that had ended by then (`horizon`). So no
event is passed over because it was committed late, and none that the replay itself publishes is taken in. Events are
read day by day, and within a day in the order of the log, which for events with one key is the order in which they
came.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from contracts.errors import PermanentError
from store.database import Database, Row
from store.queries import load

_SQL: Final = load("replays")


class UnknownReplayError(PermanentError):
    """There is no such replay; take the id that `saga events replay` printed."""

    code = "unknown-replay"


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the log: recorded from `start` on and before `end`, both aware, in transactions before `horizon`."""

    start: datetime
    end: datetime
    horizon: str

    @property
    def days(self) -> tuple[date, date]:
        """The first and the last day (UTC) that it touches."""
        last = max(self.end - timedelta(microseconds=1), self.start)
        return self.start.astimezone(UTC).date(), last.astimezone(UTC).date()


@dataclass(frozen=True, slots=True)
class Place:
    """An event's place in a day of the log; `Place()` is before the first."""

    xact: str = "0"
    position: int = 0


@dataclass(frozen=True, slots=True)
class PastEvent:
    """An event of the log, with the key whose order it kept; `envelope` is its JSON text."""

    day: date
    place: Place
    key: str | None
    priority: int
    envelope: str


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a replay is.

    Attributes:
        day: Day of the last event that it passed; None at the beginning.
        place: That event's place in the day.
        passed: How many events it has behind it.
        published: How many of them it published.
        refused: How many of them the bus does not take.
    """

    day: date | None = None
    place: Place = Place()
    passed: int = 0
    published: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class ReplayRecord:
    """A replay as it stands in the database; `criteria` is the caller's."""

    id: UUID
    criteria: Mapping[str, Any]
    state: Literal["running", "finished"]
    horizon: str
    total: int
    reached: Reached


async def log_horizon(database: Database) -> str:
    """Return the horizon of a replay that begins now."""
    return str((await database.fetch(_SQL["horizon"]))[0]["horizon"])


async def days_in_log(database: Database, span: Span) -> list[date]:
    """Return the days of the span that the log has, the oldest first."""
    return [row["day"] for row in await database.fetch(_SQL["days"], *span.days)]


async def days_in_archive_only(database: Database, span: Span) -> list[date]:
    """Return the days of the span that are archived and not restored, the oldest first."""
    return [row["day"] for row in await database.fetch(_SQL["away"], *span.days)]


async def count_types(database: Database, span: Span, days: Sequence[date]) -> Mapping[date, Counter[str]]:
    """Return how many events of which type each day of the span has."""
    return {day: await _types(database, span, day) for day in days}


async def _types(database: Database, span: Span, day: date) -> Counter[str]:
    rows = await database.fetch(_SQL["types"], day, span.horizon, span.start, span.end)
    return Counter({row["event_type"]: row["events"] for row in rows})


async def read_page(
    database: Database, span: Span, day: date, types: Sequence[str], after: Place, limit: int
) -> list[PastEvent]:
    """Return the next events of a day that have one of these types, at most `limit`."""
    rows = await database.fetch(
        _SQL["page"], day, span.horizon, span.start, span.end, list(types), after.xact, after.position, limit
    )
    return [_past(row) for row in rows]


def _past(row: Row) -> PastEvent:
    place = Place(row["xact"], row["position"])
    return PastEvent(row["day"], place, row["group_key"], row["priority"], row["envelope"])


async def begin_replay(database: Database, record: ReplayRecord) -> None:
    """Put a new replay on record."""
    await database.fetch(_SQL["begin"], record.id, dict(record.criteria), record.horizon, record.total)


async def find_replay(database: Database, replay: UUID) -> ReplayRecord:
    """Return a replay.

    Raises:
        UnknownReplayError: There is none with this id.
    """
    rows = await database.fetch(_SQL["find"], replay)
    if not rows:
        raise UnknownReplayError(f"{replay}.")
    row = rows[0]
    place = Place(row["xact"], row["position"])
    reached = Reached(row["day"], place, row["passed"], row["published"], row["refused"])
    return ReplayRecord(row["id"], row["criteria"], row["state"], row["horizon"], row["total"], reached)


async def save_reached(database: Database, replay: UUID, reached: Reached) -> None:
    """Remember how far a replay is."""
    place = reached.place
    counts = (reached.passed, reached.published, reached.refused)
    await database.fetch(_SQL["advance"], replay, reached.day, place.xact, place.position, *counts)


async def finish_replay(database: Database, replay: UUID) -> None:
    """Remember that a replay is done."""
    await database.fetch(_SQL["finish"], replay)


async def begin_retry(database: Database, retry: UUID) -> None:
    """Put a retry of dead letters on record."""
    await database.fetch(_SQL["begin_retry"], retry)


async def known_replays(database: Database, ids: Sequence[UUID]) -> Mapping[UUID, bool]:
    """Return those of `ids` that are replays or retries on record, and whether they do everything again."""
    return {row["id"]: row["again"] for row in await database.fetch(_SQL["known"], list(ids))}

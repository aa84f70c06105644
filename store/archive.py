"""Old days of the event log: how they are read, left, and brought back.

A day leaves the log in one transaction: nobody may write to it meanwhile, what was archived is compared with what
is there, the archive is put on record, and the partition is dropped. A day comes back the other way round: its
events are written into a table that nobody reads, and that becomes the partition at the end. So neither a crash nor
a bad file ever leaves half a day, and no long transaction holds up those who follow the log.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from datetime import date, datetime
from operator import attrgetter
from typing import Any, Final

from contracts.errors import PermanentError, TemporaryError
from store.database import Database, Session
from store.queries import load

_SQL: Final = load("archive")


class ArchiveBusyError(TemporaryError):
    """Another process archives or restores right now; try again when it is done."""

    code = "archive-busy"


class DayChangedError(TemporaryError):
    """A day was written to while it was archived, so it was not dropped; archive it again."""

    code = "day-changed"


class DayPresentError(PermanentError):
    """The day is in the log already, so it was not restored; `saga events archive --drop DAY` takes it out first."""

    code = "day-present"


@dataclass(frozen=True, slots=True)
class LoggedDay:
    """A day that the log has a partition for, and when it was restored, if it was archived before."""

    day: date
    restored_at: datetime | None


@dataclass(frozen=True, slots=True)
class Line:
    """An event of the log as one line of JSON, with its place and with what tells whether it changed since."""

    xact: int
    position: int
    handled_at: datetime | None
    text: str


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What changes when anybody writes to a day.

    Attributes:
        events: How many there are.
        last_position: The highest position; None where there is no event.
        handled: How many were marked with their outcome.
        last_handled_at: When the last one was.
    """

    events: int = 0
    last_position: int | None = None
    handled: int = 0
    last_handled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DayRecord:
    """A day in the archive: where, how much (bytes as they are stored), and its manifest."""

    day: date
    location: str
    events: int
    bytes: int
    manifest: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ArchivedDay(DayRecord):
    """The same as it stands in the database. `restored_at` is set while the day is in the log as well."""

    archived_at: datetime
    restored_at: datetime | None


@dataclass(frozen=True, slots=True)
class ArchivedEvent:
    """An event on its way back into the log; `effects` and `envelope` are JSON text."""

    position: int
    event_id: str
    event_type: str
    event_version: str
    source: str
    occurred_at: datetime
    recorded_at: datetime
    correlation_id: str
    group_key: str | None
    priority: int
    outcome: str | None
    reason: str | None
    effects: str | None
    handled_at: datetime | None
    envelope: str


_MEMBERS: Final = attrgetter(*(field.name for field in fields(ArchivedEvent)))


@asynccontextmanager
async def archive_lock(database: Database) -> AsyncIterator[None]:
    """Hold the right to archive and to restore inside the block: one process at a time.

    The transaction that holds it writes nothing, so it has no number and holds nobody up, however long it takes.

    Raises:
        ArchiveBusyError: Another process holds it.
    """
    async with database.transaction() as session:
        held = await session.fetch_row(_SQL["try_lock"])
        if held is None or not held["held"]:
            raise ArchiveBusyError
        yield


async def logged_days(database: Database) -> list[LoggedDay]:
    """Return the days that have a partition, the oldest first."""
    return [LoggedDay(**row) for row in await database.fetch(_SQL["days"])]


async def archived_days(database: Database) -> list[ArchivedDay]:
    """Return the days in the archive, the oldest first."""
    return [ArchivedDay(**row) for row in await database.fetch(_SQL["all"])]


async def archived_day(database: Database, day: date) -> ArchivedDay | None:
    """Return a day in the archive; None where it is in none that this database knows of."""
    rows = await database.fetch(_SQL["find"], day)
    return ArchivedDay(**rows[0]) if rows else None


async def prepare_reading(database: Database, day: date) -> None:
    """Let the server learn how long a day is, so that each of its pages costs the same."""
    await database.fetch(_SQL["analyze"], day)


async def read_lines(database: Database, day: date, after: Line | None, limit: int) -> list[Line]:
    """Return the next events of a day behind the line `after` (None = from the first), in the order of the log."""
    xact, position = (after.xact, after.position) if after else (0, 0)
    rows = await database.fetch(_SQL["lines"], day, str(xact), position, limit)
    return [Line(row["xact"], row["position"], row["handled_at"], row["line"]) for row in rows]


async def leave_log(database: Database, record: DayRecord, archived: Fingerprint) -> None:
    """Put an archived day on record and drop its partition, if it still is what was archived.

    Raises:
        DayChangedError: It is not; nothing was changed.
        TransactionConflictError: Readers of the log did not let go within two seconds; nothing was changed.
    """
    async with database.transaction() as session:
        await session.execute(_SQL["be_quick"])
        await session.execute(_SQL["freeze_log"])
        await session.execute(_SQL["freeze"], record.day)
        if await _fingerprint(session, record.day) != archived:
            raise DayChangedError(f"{record.day}.")
        await session.execute(_SQL["record"], *_columns(record))
        await session.execute(_SQL["drop"], record.day)


async def begin_restore(database: Database, day: date) -> None:
    """Make the table that takes a day's events; call it under `archive_lock`.

    Raises:
        DayPresentError: The log has events of this day.
    """
    async with database.transaction() as session:
        await _refuse_present(session, day)
        await session.execute(_SQL["drop_unfinished"])
        await session.execute(_SQL["make_restored"])


async def add_restored(database: Database, day: date, events: Sequence[ArchivedEvent]) -> None:
    """Write events of the day where nobody sees them yet."""
    columns = zip(*map(_MEMBERS, events), strict=True)
    async with database.transaction() as session:
        await session.execute(_SQL["add_restored"], day, *(list(column) for column in columns))


async def finish_restore(database: Database, record: DayRecord) -> None:
    """Make what was written the partition of the day, and put on record that it is back.

    Raises:
        DayPresentError: The log got events of this day meanwhile.
    """
    async with database.transaction() as session:
        await session.execute(_SQL["be_quick"])
        await _refuse_present(session, record.day)
        await session.execute(_SQL["drop"], record.day)
        await session.execute(_SQL["attach"], record.day)
        await session.execute(_SQL["analyze"], record.day)
        await session.execute(_SQL["mark_restored"], *_columns(record))


async def abandon_restore(database: Database) -> None:
    """Remove what was written of a day that cannot be restored."""
    async with database.transaction() as session:
        await session.execute(_SQL["drop_unfinished"])


def _columns(record: DayRecord) -> tuple[object, ...]:
    return record.day, record.location, record.events, record.bytes, dict(record.manifest)


async def _refuse_present(session: Session, day: date) -> None:
    await session.execute(_SQL["freeze"], day)
    if (await _fingerprint(session, day)).events:
        raise DayPresentError(f"{day}.")


async def _fingerprint(session: Session, day: date) -> Fingerprint:
    row = await session.fetch_row(_SQL["fingerprint"], day)
    return Fingerprint(**row) if row else Fingerprint()

"""What watchers ask of the projection of runs: figures for gauges, runs that take too long, runs that do not move.

Only one process at a time looks for breaches (`find_breaches` holds an advisory lock), and each breach is written down
with what is told of it, in one transaction: it is told once, whoever finds it and however often it looks.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from store.database import Database, Row, Session
from store.queries import load

AGES: Final = (timedelta(hours=1), timedelta(days=1), timedelta(days=7))
"""Bounds of the ages by which approvals are counted."""

ENOUGH_RUNS: Final = 20
USUAL_FACTOR: Final = 3.0
"""A run is overdue after three times the 99th percentile of at least twenty ended runs of its definition.

They are looked for among the latest 100,000 of thirty days: the question costs the same however many there are."""

MOST_ROWS: Final = 500
_MOST_USUAL: Final = 100_000
_ENDED_WITHIN: Final = timedelta(days=1)
_REMEMBERED: Final = timedelta(days=400)
_LOCK_BREACHES: Final = 72_021_001
_LOCK_STUCK: Final = 72_021_002
_SQL: Final = load("run_watch")


@dataclass(frozen=True, slots=True)
class Limit:
    """How long runs of a version may take, as its definition says."""

    definition: str
    version: str
    time: timedelta


@dataclass(frozen=True, slots=True)
class OpenRuns:
    """How many runs of a version are open, with which status."""

    definition: str
    version: str
    status: str
    runs: int


@dataclass(frozen=True, slots=True)
class WaitingApprovals:
    """How many approvals of a definition wait: `age` counts the bounds in `AGES` that they have passed."""

    definition: str
    age: int
    approvals: int
    oldest: timedelta


@dataclass(frozen=True, slots=True)
class Breach:
    """A run that has taken longer than its definition allows. `ended_at` None = it still goes on."""

    id: str
    workflow_id: str
    definition: str
    version: str
    key: str
    correlation_id: str | None
    status: str
    started_at: datetime
    ended_at: datetime | None
    limit: timedelta
    took: timedelta


@dataclass(frozen=True, slots=True)
class OverdueRun:
    """An open run past its expected time.

    Attributes:
        by_definition: Whether its definition says how long it may take; else ended runs of the definition do.
        known_runs: How many those are.
    """

    id: str
    execution: str
    workflow_id: str
    definition: str
    version: str
    status: str
    started_at: datetime
    changed_at: datetime
    took: timedelta
    expected: timedelta
    by_definition: bool
    known_runs: int


async def open_runs(database: Database) -> list[OpenRuns]:
    """Return how many runs are open, by version and status."""
    return [OpenRuns(**row) for row in await database.fetch(_SQL["open_runs"], MOST_ROWS)]


async def waiting_approvals(database: Database) -> list[WaitingApprovals]:
    """Return how many approvals wait, by definition and age."""
    rows = await database.fetch(_SQL["waiting_approvals"], [bound.total_seconds() for bound in AGES])
    return [WaitingApprovals(**row | {"oldest": timedelta(seconds=row["oldest"])}) for row in rows]


@asynccontextmanager
async def alone_with_breaches(database: Database) -> AsyncIterator[Session | None]:
    """Give a transaction in which nobody else looks for breaches, or None: somebody does."""
    async with _alone(database, _LOCK_BREACHES) as session:
        yield session


@asynccontextmanager
async def alone_with_stuck(database: Database) -> AsyncIterator[Session | None]:
    """Give a transaction in which nobody else looks for stuck runs, or None: somebody does."""
    async with _alone(database, _LOCK_STUCK) as session:
        yield session


async def find_breaches(session: Session, limits: Sequence[Limit]) -> list[Breach]:
    """Write down the runs that have taken too long and were not yet, and return them, the oldest first.

    At most 500 at once; those that ended count for a day.
    """
    rows = await session.fetch(_SQL["find_breaches"], *_columns(limits), _ENDED_WITHIN, MOST_ROWS)
    await session.execute(_SQL["forget_breaches"], _REMEMBERED)
    return [_breach(row) for row in rows]


async def overdue_runs(database: Database, limits: Sequence[Limit], limit: int = MOST_ROWS) -> list[OverdueRun]:
    """Return the open runs that are past their expected time, the oldest first."""
    rows = await database.fetch(_SQL["overdue"], *_columns(limits), ENOUGH_RUNS, USUAL_FACTOR, limit, _MOST_USUAL)
    return [_overdue(row) for row in rows]


async def unchanged_runs(database: Database, since: timedelta, limit: int) -> list[tuple[str, str]]:
    """Return workflow id and run id of open runs that have not moved for so long and do not wait for anybody."""
    rows = await database.fetch(_SQL["unchanged"], since, limit)
    return [(row["workflow_id"], row["execution"]) for row in rows]


@asynccontextmanager
async def _alone(database: Database, lock: int) -> AsyncIterator[Session | None]:
    async with database.transaction() as session:
        row = await session.fetch_row(_SQL["claim"], lock)
        yield session if row is not None and row["claimed"] else None


def _columns(limits: Sequence[Limit]) -> tuple[list[str], list[str], list[float]]:
    return (
        [limit.definition for limit in limits],
        [limit.version for limit in limits],
        [limit.time.total_seconds() for limit in limits],
    )


def _breach(row: Row) -> Breach:
    limit, took = row.pop("limit_seconds"), row.pop("took_seconds")
    return Breach(**row, limit=timedelta(seconds=limit), took=timedelta(seconds=took))


def _overdue(row: Row) -> OverdueRun:
    expected, took = row.pop("expected_seconds"), row.pop("took_seconds")
    return OverdueRun(**row, expected=timedelta(seconds=expected), took=timedelta(seconds=took))

"""The projection of runs: rows of what every run did, written in batches.

Rows may be written twice, late and in any order: each has a key and a number, and an older one changes nothing. A
batch is copied into staging tables of the connection and merged from there in one transaction, runs first and in
order of their ids, so that two writers of the same runs wait for each other instead of blocking each other for good.
A batch is on disk once it is written: rows that a crash of the server took away again would be missed by nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString, NamedTuple, Protocol
from uuid import UUID

from store.database import Database, Session
from store.queries import load
from workflows.engine.change import AnswerRow, ApprovalRow, Change, RunRow, SnapshotRow, StepRow

MENDING: Final = "saga.runs mending"
_SQL: Final = load("runs")
_PURGE_AT_ONCE = 500
_ALL = 2**31 - 1
_FRESH = timedelta(minutes=1)


class AttemptRow(NamedTuple):
    """The latest attempt of an activity, from the server's clock."""

    run_id: str
    path: str
    attempts: int
    scheduled_at: datetime
    started_at: datetime


class ClosedRow(NamedTuple):
    """A run that Temporal ended without asking it."""

    run_id: str
    status: str
    ended_at: datetime


@dataclass(slots=True)
class Rows:
    """Rows to be written, one for each key: of several the newest."""

    runs: dict[str, RunRow] = field(default_factory=dict)
    snapshots: dict[tuple[str, int], SnapshotRow] = field(default_factory=dict)
    steps: dict[tuple[str, str], StepRow] = field(default_factory=dict)
    approvals: dict[tuple[str, str], ApprovalRow] = field(default_factory=dict)
    attempts: dict[tuple[str, str], AttemptRow] = field(default_factory=dict)
    answers: dict[tuple[str, str], AnswerRow] = field(default_factory=dict)
    twice: set[str] = field(default_factory=set)
    """Runs that took different events under one number: see `count_snapshots`."""

    def add(self, change: Change) -> None:
        """Add what one event changed."""
        self._add_run(change.run)
        snapshot = change.snapshot
        key = (snapshot.run_id, snapshot.sequence)
        old = self.snapshots.get(key)
        if old is not None and old.event != snapshot.event:
            self.twice.add(snapshot.run_id)
        if old is None or snapshot.at >= old.at:
            self.snapshots[key] = snapshot
        for step in change.steps:
            self._add_step(step)
        for approval in change.approvals:
            self._add_approval(approval)
        if change.answer is not None:
            self.answers[change.answer.run_id, change.answer.path] = change.answer

    def add_attempt(self, row: AttemptRow) -> None:
        """Add an attempt of an activity."""
        old = self.attempts.get((row.run_id, row.path))
        if old is None or row.attempts >= old.attempts:
            self.attempts[row.run_id, row.path] = row

    def _add_run(self, row: RunRow) -> None:
        old = self.runs.get(row.id)
        if old is None:
            self.runs[row.id] = row
            return
        newest, other = (old, row) if _is_newer(old, row) else (row, old)
        if newest.ended_at is None and other.ended_at is not None:
            newest = newest._replace(ended_at=other.ended_at)
        self.runs[row.id] = newest

    def _add_step(self, row: StepRow) -> None:
        key = (row.run_id, row.path)
        old = self.steps.get(key)
        if old is not None:
            newest = row if row.sequence >= old.sequence else old
            row = newest._replace(position=min(row.position, old.position))
        self.steps[key] = row

    def _add_approval(self, row: ApprovalRow) -> None:
        key = (row.run_id, row.path)
        old = self.approvals.get(key)
        if old is None or row.sequence >= old.sequence:
            self.approvals[key] = row


class _Standing(Protocol):
    @property
    def execution(self) -> str: ...
    @property
    def sequence(self) -> int: ...
    @property
    def changed_at(self) -> datetime: ...


def _is_newer(one: _Standing, other: _Standing) -> bool:
    """Tell which of two states of a run is the newer one; a reset begins again at a lower number, but later."""
    if one.execution == other.execution:
        return (one.sequence, one.changed_at) > (other.sequence, other.changed_at)
    return (one.changed_at, one.sequence) > (other.changed_at, other.sequence)


def rows_of(changes: Iterable[Change], attempts: Iterable[AttemptRow] = ()) -> Rows:
    """Return the rows of many changes, one for each key."""
    rows = Rows()
    for change in changes:
        rows.add(change)
    for attempt in attempts:
        rows.add_attempt(attempt)
    return rows


async def write(database: Database, rows: Rows) -> None:
    """Write rows in one transaction; what is there already and newer stays.

    Raises:
        SagaError: As `Database.transaction`; nothing was written, or it is not known.
    """
    async with database.transaction() as session:
        await _write(session, rows)


async def rewrite(database: Database, rows: Rows, closed: Sequence[ClosedRow] = ()) -> None:
    """Write whole runs anew in one transaction: what was there of them is gone.

    What is newer and has just come may be ahead of the history that these rows are from: it stays, and the run is to
    be mended once more. What is newer and older than that never came into the history, because its worker was killed.
    """
    ids = sorted(rows.runs)
    async with database.transaction() as session:
        there = [_Stored(**row) for row in await session.fetch(_SQL["lock_runs"], ids, _FRESH)]
        ahead = [run.id for run in there if run.is_fresh and _is_newer(run, rows.runs[run.id])]
        numbers = [rows.runs[identity].sequence if identity in ahead else _ALL for identity in ids]
        for block in ("forget_snapshots", "forget_steps", "forget_approvals", "forget_runs"):
            await session.execute(_SQL[block], ids, numbers)
        await _write(session, rows)
        await session.execute(_SQL["recount"], ids)
        await session.execute(_SQL["doubt"], ahead)
        await session.execute(_SQL["forget_attempts"], ids, [rows.runs[identity].changed_at for identity in ids])
        for row in closed:
            await session.execute(_SQL["close"], *row)


@dataclass(frozen=True, slots=True)
class _Stored:
    id: str
    execution: str
    sequence: int
    changed_at: datetime
    is_fresh: bool


async def close(database: Database, closed: Sequence[ClosedRow]) -> None:
    """Write down that Temporal ended runs without asking them."""
    async with database.transaction() as session:
        for row in closed:
            await session.execute(_SQL["close"], *row)


async def with_gaps(database: Database, settled: timedelta, limit: int) -> list[str]:
    """Return workflow ids of runs with missing snapshots that have not changed for `settled`, the oldest first."""
    return [row["workflow_id"] for row in await database.fetch(_SQL["with_gaps"], settled, limit)]


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run that has not ended, as far as the projection knows."""

    id: str
    execution: str
    workflow_id: str


async def open_runs(database: Database, settled: timedelta, *, after: str, limit: int) -> list[OpenRun]:
    """Return runs that have not ended and not changed for `settled`, in the order of their ids, behind `after`."""
    return [OpenRun(**row) for row in await database.fetch(_SQL["open"], settled, after, limit)]


async def sign_of_life(database: Database, writer: UUID) -> None:
    """Say that the process `writer` is there and writes."""
    await database.fetch(_SQL["live"], writer)


async def leave(database: Database, writers: Sequence[UUID]) -> None:
    """Forget writers: they have written all that they had, or what they had was made again."""
    await database.fetch(_SQL["leave"], list(writers))


async def dead_writers(database: Database, silence: timedelta) -> dict[UUID, datetime]:
    """Return the writers that have given no sign of life for `silence`, with the moment of the last."""
    return {row["id"]: row["seen_at"] for row in await database.fetch(_SQL["dead"], silence)}


async def purge(
    database: Database,
    older_than: timedelta,
    statuses: Sequence[str],
    *,
    definition: str | None = None,
    version: str | None = None,
    exempt: Sequence[str] = (),
) -> int:
    """Delete runs that ended so longer ago, some hundred at a time, and return how many.

    Args:
        database: The database.
        older_than: How long ago they ended.
        statuses: How they ended.
        definition: Only runs of this definition.
        version: Only runs of this version.
        exempt: Versions, as `id@version`, whose runs stay.
    """
    purged = 0
    while True:
        async with database.transaction() as session:
            deleted = await session.execute(
                _SQL["purge"], older_than, list(statuses), definition, version, list(exempt), _PURGE_AT_ONCE
            )
        purged += deleted
        if deleted < _PURGE_AT_ONCE:
            return purged


async def _write(session: Session, rows: Rows) -> None:
    staged = await session.fetch_row(_SQL["is_staged"])
    if not (staged and staged["found"]):
        await session.execute(_SQL["stage"])
    for table, kind, values, merges in _plan(rows):
        if values:
            await session.copy(table, kind._fields, values)
            for merge in merges:
                await session.execute(merge)
    if rows.twice:
        await session.execute(_SQL["doubt"], sorted(rows.twice))


def _plan(rows: Rows) -> list[tuple[LiteralString, Any, Iterable[Any], list[LiteralString]]]:
    return [
        ("staged_runs", RunRow, rows.runs.values(), [_SQL["write_runs"]]),
        (
            "staged_snapshots",
            SnapshotRow,
            rows.snapshots.values(),
            [_SQL["count_snapshots"], _SQL["write_snapshots"]],
        ),
        ("staged_steps", StepRow, rows.steps.values(), [_SQL["write_steps"]]),
        ("staged_approvals", ApprovalRow, rows.approvals.values(), [_SQL["write_approvals"]]),
        ("staged_attempts", AttemptRow, rows.attempts.values(), [_SQL["write_attempts"]]),
        ("staged_answers", AnswerRow, rows.answers.values(), [_SQL["write_answers"]]),
    ]

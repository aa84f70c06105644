"""Recorded runs for tests of reports: rows as a worker would have written them, by plain SQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from store.database import Database, Session

_RUN = """
insert into saga.runs (id, execution, workflow_id, definition, version, digest, key, part_of, status, sequence,
                       started_at, changed_at, ended_at, problem_type, problem_detail, actions)
values ($1, $1, $2 || '/' || $1, $2, $3, 'digest', $1, $4, $5, 9, $6, $6, $7, $8, $9, $10)
"""
_STEP = """
insert into saga.steps (run_id, path, step, kind, status, position, sequence,
                        started_at, ended_at, problem_type, detail)
values ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9, $10)
"""
_ATTEMPT = """
insert into saga.attempts (run_id, path, attempts, scheduled_at, started_at, ended_at) values ($1, $2, $3, $4, $5, $6)
"""


@dataclass(frozen=True)
class Step:
    """A step as seconds from the run's beginning; `taken` and `done` are its last attempt's, where it had attempts."""

    path: str
    began: float
    ended: float | None
    kind: str = "action"
    status: str = "completed"
    attempts: int = 0
    taken: float = 0.0
    done: float = 0.0
    problem: str | None = None
    detail: str | None = None

    @property
    def step(self) -> str:
        """Id of the step in the definition."""
        return self.path.removesuffix("/compensate").rpartition("/")[2]


@dataclass(frozen=True)
class Run:
    """A run that took so many seconds; None = it is open."""

    id: str
    steps: Sequence[Step] = ()
    seconds: float | None = 10.0
    definition: str = "order"
    version: str = "1.0.0"
    status: str = "completed"
    part_of: str | None = None
    problem: str | None = None
    detail: str | None = None
    actions: int = 5


async def add_runs(database: Database, runs: Iterable[tuple[Run, datetime]]) -> None:
    """Write runs, each with the moment at which it began, with their steps and attempts."""
    async with database.transaction() as session:
        for run, began in runs:
            await _add(session, run, began)


async def _add(session: Session, run: Run, began: datetime) -> None:
    def at(seconds: float | None) -> datetime | None:
        return None if seconds is None else began + timedelta(seconds=seconds)

    about = (run.id, run.definition, run.version, run.part_of, run.status, began, at(run.seconds))
    await session.execute(_RUN, *about, run.problem, run.detail, run.actions)
    for position, step in enumerate(run.steps):
        names = (run.id, step.path, step.step, step.kind, step.status, position)
        await session.execute(_STEP, *names, at(step.began), at(step.ended), step.problem, step.detail)
        if step.attempts:
            times = (at(step.began), at(step.taken), at(step.done))
            await session.execute(_ATTEMPT, run.id, step.path, step.attempts, *times)

"""Rows of the projection, as its writer would write them."""

from __future__ import annotations

from datetime import timedelta

from store.database import Database

INSERT_RUN = """
insert into saga.runs (
    id, execution, workflow_id, definition, version, digest, key, status, sequence,
    started_at, changed_at, ended_at, part_of
) values (
    $1, $1, $2 || '/' || $1, $2, $3, 'd', $1, $4, 1,
    now() - $5::interval, now() - $6::interval, now() - $7::interval, $8
)
"""
INSERT_APPROVAL = """
insert into saga.approvals (run_id, path, step, title, sequence, since, decided_at)
values ($1, $2, $2, 'May it?', 1, now() - $3::interval, case when $4 then now() end)
"""


async def add_run(  # noqa: PLR0913  # a row has many columns
    database: Database,
    identity: str,
    *,
    definition: str = "order",
    version: str = "1.0.0",
    status: str = "running",
    started: timedelta = timedelta(minutes=1),
    changed: timedelta = timedelta(0),
    ended: timedelta | None = None,
    part_of: str | None = None,
) -> None:
    """Add a run; the times say how long ago."""
    async with database.transaction() as session:
        await session.execute(INSERT_RUN, identity, definition, version, status, started, changed, ended, part_of)


async def add_approval(database: Database, run: str, path: str, waited: timedelta, *, decided: bool = False) -> None:
    """Add an approval that has waited for so long."""
    async with database.transaction() as session:
        await session.execute(INSERT_APPROVAL, run, path, waited, decided)

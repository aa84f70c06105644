"""Finds the runs that are stuck: asks the projection and Temporal, a bounded number of times, and classifies.

Which open runs are looked at, when there are more than may be: those that Temporal reports problems of, then those
that have not moved for longest by the projection, then the newest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.client import Client

from store.database import Database
from store.run_watch import Limit, overdue_runs, unchanged_runs
from workers.looking import RunLook, forced_runs, look_at_queue, look_at_run, open_runs
from workers.stuck import Stuck, forced, in_order, overdue, queues_of, stuck_queue, stuck_run
from workflows.language.library import Library

MOST_RUNS: Final = 200
_MOST_QUEUES: Final = 20
_AT_ONCE: Final = 10
_STILL: Final = timedelta(seconds=30)


async def find_stuck(
    client: Client, database: Database | None, limits: Sequence[Limit], most: int = MOST_RUNS, queue: str | None = None
) -> list[Stuck]:
    """Return what keeps open runs from getting on, the gravest first.

    Args:
        client: Temporal.
        database: Where the projection is; None = nothing is known of expected times.
        limits: How long runs may take, as their definitions say.
        most: How many open runs are looked at.
        queue: A task queue of ours: runs on it count also if no command of ours started them.

    Raises:
        ServiceUnreachableError: Temporal or PostgreSQL does not answer.
    """
    runs = await _looks(client, await _candidates(client, database, most, queue))
    found = [stuck for run in runs for stuck in stuck_run(run)]
    now = datetime.now(UTC)
    for name in queues_of(runs)[:_MOST_QUEUES]:
        found += stuck_queue(await look_at_queue(client, name), runs, now)
    late = [] if database is None else await overdue_runs(database, limits, most)
    return in_order([*found, *map(overdue, late)])


def limits_of(library: Library) -> list[Limit]:
    """Return how long runs may take, of each version that says it."""
    return [
        Limit(each.id, each.version, timedelta(seconds=each.sla.max_duration))
        for each in library.all()
        if each.sla is not None
    ]


async def find_terminated(client: Client, most: int) -> list[Stuck]:
    """Return the runs that were ended without being asked, and have not gone on since.

    Raises:
        ServiceUnreachableError: Temporal does not answer.
    """
    return [forced(run) for run in await forced_runs(client, most)]


async def _candidates(client: Client, database: Database | None, most: int, queue: str | None) -> list[tuple[str, str]]:
    still = [] if database is None else await unchanged_runs(database, _STILL, most)
    listed = await open_runs(client, most, queue)
    return list(dict.fromkeys([*still[: most // 2], *listed, *still]))[:most]


async def _looks(client: Client, runs: Sequence[tuple[str, str]]) -> list[RunLook]:
    turn = asyncio.Semaphore(_AT_ONCE)

    async def look(workflow_id: str, run_id: str) -> RunLook | None:
        async with turn:
            return await look_at_run(client, workflow_id, run_id)

    looks = await asyncio.gather(*(look(*run) for run in runs))
    return [each for each in looks if each is not None]

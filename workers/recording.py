"""What a worker does beside its work so that runs are seen in PostgreSQL: the queue, its writer, and the mender."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from temporalio.client import Client

from store.database import Database
from workers.mending import Mender, Pace
from workers.projecting import Writer, projecting
from workers.snapshots import CAPACITY, Missed, Snapshots
from workflows.temporal.classes import workflow_classes
from workflows.temporal.run import LibrarySource

_USUAL = Pace()


@dataclass(frozen=True)
class Recording:
    """What is at work.

    Attributes:
        snapshots: Its `take` is the sink of the worker, its `put` takes attempts.
        writer: Writes what waits there.
        mender: Makes again what is missing.
    """

    snapshots: Snapshots
    writer: Writer
    mender: Mender


@asynccontextmanager
async def recording(
    client: Client,
    database: Database,
    library: LibrarySource,
    *,
    capacity: int = CAPACITY,
    pace: Pace = _USUAL,
    continue_after: int | None = None,
) -> AsyncIterator[Recording]:
    """Write and mend inside the block; the worker must have stopped before it ends.

    Args:
        client: Where the histories are.
        database: Where the rows are.
        library: Gives the definitions that are loaded now.
        capacity: How many changes may wait.
        pace: How patient mending is.
        continue_after: As the worker's classes have it.
    """
    snapshots = Snapshots(capacity)

    def classes() -> list[type]:
        return workflow_classes(library, continue_after=continue_after)

    mender = Mender(client, database, classes, snapshots, pace)
    async with projecting(database, snapshots) as writer:
        task = asyncio.ensure_future(mender.run(asyncio.Event()))
        try:
            yield Recording(snapshots, writer, mender)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    if writer.is_done and snapshots.missed() == Missed():
        await mender.leave()

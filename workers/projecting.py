"""The writer of the projection: one task in a worker that empties the queue into PostgreSQL, batch by batch.

PostgreSQL away: the batch in hand stays in hand and is tried again after a growing delay, while the queue takes what
fits. A batch that is refused is written entry by entry, and what is refused then is dropped, counted and left to
mending, so that one odd value holds nothing up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog

from contracts.errors import PermanentError, TemporaryError
from store.database import Database
from store.runs import Rows, rows_of, write
from workers.snapshots import Entry, Snapshots
from workflows.engine.change import Change

BATCH = 5_000
_PAUSE = 0.5
_FIRST_DELAY, _LONGEST_DELAY = 0.2, 10.0
_log = structlog.get_logger("projection")


class Writer:
    """Writes what waits in the queue.

    Attributes:
        written: Entries that were written.
        failures: Batches in a row that could not be written; 0 = all is well.
        is_done: Whether it has stopped with nothing left to write.
    """

    def __init__(self, database: Database, snapshots: Snapshots) -> None:
        """Write from `snapshots` to `database`."""
        self._database, self._snapshots = database, snapshots
        self.written = self.failures = 0
        self.is_done = False

    async def run(self, stop: asyncio.Event) -> None:
        """Write until `stop` is set and the queue is empty."""
        while True:
            batch = self._snapshots.drain(BATCH)
            if batch:
                await self._write_at_last(batch)
            elif stop.is_set():
                self.is_done = True
                return
            if len(batch) < BATCH:
                # A short rest makes larger batches, and saves waking this loop from the workflows' threads.
                await pause(stop, _PAUSE)

    async def _write_at_last(self, batch: Sequence[Entry]) -> None:
        while True:
            try:
                await self._write(batch)
            except TemporaryError as error:
                self.failures += 1
                delay = min(_LONGEST_DELAY, _FIRST_DELAY * 2 ** min(self.failures, 10))
                _log.warning("snapshots_wait", error=str(error), failures=self.failures, waiting=len(self._snapshots))
                await asyncio.sleep(delay)
            else:
                self.failures = 0
                return

    async def _write(self, batch: Sequence[Entry]) -> None:
        try:
            await write(self._database, _rows(batch))
        except PermanentError as error:
            if len(batch) == 1:
                _log.error("snapshot_refused", error=str(error))
                self._snapshots.miss(batch[0])
                return
            for entry in batch:
                await self._write([entry])
        else:
            self.written += len(batch)


def _rows(batch: Sequence[Entry]) -> Rows:
    changes = [entry for entry in batch if isinstance(entry, Change)]
    return rows_of(changes, (entry for entry in batch if not isinstance(entry, Change)))


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait for so long, or until `stop` is set."""
    if stop.is_set():
        return
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


@asynccontextmanager
async def projecting(
    database: Database, snapshots: Snapshots, patience: timedelta = timedelta(seconds=10)
) -> AsyncIterator[Writer]:
    """Write inside the block; at its end what waits is written, which may take `patience`."""
    writer, stop = Writer(database, snapshots), asyncio.Event()
    task = asyncio.ensure_future(writer.run(stop))
    try:
        yield writer
    finally:
        stop.set()
        await asyncio.wait({task}, timeout=patience.total_seconds())
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

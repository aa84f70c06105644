"""Lifecycle events on their way to the outbox, on the real server, also while it is away."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from contracts.envelope import Event
from contracts.json import Json
from store.database import Database, open_database
from store.outbox import SHARDS, claimed
from tests.support.waiting import PATIENCE_SECONDS, eventually
from tests.workers.postgres_proxy import postgres_proxy
from workers.telling import EventQueue, OutboxWriter


@dataclass
class Counted:
    """Counts what became of events."""

    written: int = 0
    dropped: int = 0

    def lifecycle_written(self, events: int) -> None:
        """Count."""
        self.written += events

    def lifecycle_dropped(self, events: int) -> None:
        """Count."""
        self.dropped += events


def event(number: int, data: Json = None) -> Event:
    """An event of a run."""
    at = datetime(2030, 1, 31, 8, 0, tzinfo=UTC)
    return Event(f"e{number}", "workflow.started", "1.0", at, "test", data, {"group_id": "k"})


@asynccontextmanager
async def writing(writer: OutboxWriter) -> AsyncIterator[None]:
    """Run the writer inside the block, and let it finish."""
    stop = asyncio.Event()
    task = asyncio.create_task(writer.run(stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, PATIENCE_SECONDS)


async def in_outbox(database: Database) -> list[str]:
    """Return the ids of what waits, in order."""
    ids: list[str] = []
    for shard in range(SHARDS):
        async with claimed(database, shard, 100_000) as claim:
            ids += [] if claim is None else [row.event.id for row in claim.rows]
    return ids


def nothing() -> None:
    """Nobody is told."""


async def test_events_of_many_threads_go_to_the_outbox(database: Database) -> None:
    """Those of one run in their order, and the relay is notified."""
    counted, told = Counted(), asyncio.Event()
    queue = EventQueue(counted)
    async with writing(OutboxWriter(database, queue, counted, told.set)):
        threads = [threading.Thread(target=lambda: queue.put(event(7)))]
        for thread in threads:
            thread.start()
        await asyncio.wait_for(told.wait(), PATIENCE_SECONDS)
        for number in range(100, 1100):
            queue.put(event(number))
    assert await in_outbox(database) == ["e7", *(f"e{number}" for number in range(100, 1100))]
    assert (counted.written, counted.dropped) == (1001, 0)


async def test_queue_that_is_full_gives_up_what_is_new(database: Database) -> None:
    """At once, and counted: a workflow task waits for nobody."""
    counted = Counted()
    queue = EventQueue(counted, limit=3)
    for number in range(5):
        queue.put(event(number))
    async with writing(OutboxWriter(database, queue, counted, nothing)):
        pass
    assert await in_outbox(database) == ["e0", "e1", "e2"]
    assert (counted.written, counted.dropped) == (3, 2)


async def test_database_that_is_away_delays_and_loses_nothing(postgres_url: str) -> None:
    """What is in hand is tried again until it is back."""
    counted = Counted()
    async with (
        postgres_proxy(postgres_url) as (proxy, url),
        open_database(postgres_url) as direct,
        open_database(url) as database,
    ):
        queue = EventQueue(counted)
        async with writing(OutboxWriter(database, queue, counted, nothing)):
            proxy.cut()
            queue.put(event(1))
            await asyncio.wait_for(proxy.tried(), PATIENCE_SECONDS)
            queue.put(event(2))
            proxy.mend()

            async def written() -> bool:
                return counted.written == 2

            await eventually(written)
        assert await in_outbox(direct) == ["e1", "e2"]
    assert counted.dropped == 0


async def test_event_that_cannot_be_written_holds_up_nobody(database: Database) -> None:
    """It is given up and counted."""
    counted = Counted()
    queue = EventQueue(counted)
    for each in (event(1), event(2, float("nan")), event(3)):
        queue.put(each)
    async with writing(OutboxWriter(database, queue, counted, nothing)):
        pass
    assert await in_outbox(database) == ["e1", "e3"]
    assert (counted.written, counted.dropped) == (2, 1)

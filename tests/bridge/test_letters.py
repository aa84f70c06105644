"""The collector between the real queue of dead letters and the real table."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from aio_pika import DeliveryMode, Message
from pamqp.common import FieldTable

from bridge.amqp.sharing import SharedConnection, sharing
from bridge.amqp.topology import declare
from bridge.errors import SessionLostError
from bridge.letters import MAX_BATCH, collect
from bridge.topology.layout import layout
from bridge.topology.model import Topology
from bridge.topology.names import DEAD_LETTERS, EXCHANGE_DEAD_LETTERS
from store.database import Database, open_database
from store.dead_letters import count, page
from tests.support.bus import Bus
from tests.support.proxy import amqp_proxy
from tests.support.waiting import eventually

SHORT = timedelta(milliseconds=50)


@pytest.fixture
async def connection(amqp_url: str) -> AsyncIterator[SharedConnection]:
    """A connection to a broker on which everything is declared."""
    async with sharing(amqp_url, "test") as opened:
        await declare(await opened.opened(), layout(Topology(partitions=1), ("#",), timedelta(days=7)))
        yield opened


async def bury(bus: Bus, number: int) -> None:
    """Put so many dead letters aside."""
    exchange = await bus.channel.get_exchange(EXCHANGE_DEAD_LETTERS, ensure=False)
    for _ in range(number):
        headers: FieldTable = {
            "x-saga-code": "gave-up",
            "x-saga-reason": "Because.",
            "x-saga-letter": str(uuid.uuid4()),
        }
        message = Message(b"{}", headers=headers, delivery_mode=DeliveryMode.PERSISTENT)
        await exchange.publish(message, "dlx.saga.events")


@asynccontextmanager
async def collecting(
    connection: SharedConnection, database: Database, told: list[str] | None = None
) -> AsyncIterator[asyncio.Task[None]]:
    """Collect inside the block."""
    stop = asyncio.Event()
    tell = ([] if told is None else told).append
    task = asyncio.create_task(collect(connection, database, stop, told=tell, longest_delay=SHORT))
    try:
        yield task
        stop.set()
        await task
    finally:
        task.cancel()


async def becomes(database: Database, number: int) -> None:
    """Wait until so many letters are stored."""

    async def stored() -> bool:
        return await count(database) == number

    await eventually(stored)


async def test_collector_stores_acknowledges_and_tells(
    connection: SharedConnection, database: Database, bus: Bus
) -> None:
    """More letters than fit into a batch all end in the table, and the queue is empty afterwards."""
    told: list[str] = []
    await bury(bus, MAX_BATCH + 20)
    async with collecting(connection, database, told):
        await becomes(database, MAX_BATCH + 20)
        await bury(bus, 1)
        await becomes(database, MAX_BATCH + 21)
    await bus.becomes(DEAD_LETTERS, 0)
    assert told == ["gave-up"] * (MAX_BATCH + 21)
    assert {letter.code for letter in await page(database)} == {"gave-up"}


async def test_collector_stores_what_is_delivered_again_once(
    amqp_url: str, connection: SharedConnection, database: Database, bus: Bus
) -> None:
    """A crash between storing a letter and its acknowledgement leaves no second row."""
    await bury(bus, 5)

    def crash(_: str) -> None:
        raise KeyError

    async with sharing(amqp_url, "crashes") as frail:
        with pytest.raises(KeyError):
            await collect(frail, database, asyncio.Event(), told=crash)
    await bus.becomes(DEAD_LETTERS, 5)
    assert await count(database) > 0
    async with collecting(connection, database):
        await becomes(database, 5)
        await bus.becomes(DEAD_LETTERS, 0)
    await bus.becomes(DEAD_LETTERS, 0)
    assert await count(database) == 5


async def test_collector_waits_for_postgresql(
    connection: SharedConnection, database: Database, bus: Bus, postgres_url: str
) -> None:
    """While the store is away nothing is lost or acknowledged; when it is back everything is stored once."""
    async with amqp_proxy(postgres_url) as (line, url), open_database(url) as frail, collecting(connection, frail):
        line.cut()
        await bury(bus, 3)
        await line.tried()
        assert await count(database) == 0
        line.mend()
        await becomes(database, 3)
    await bus.becomes(DEAD_LETTERS, 0)


async def test_collector_stops_while_postgresql_is_away(
    connection: SharedConnection, bus: Bus, postgres_url: str
) -> None:
    """Stopping does not wait for the store, and what was in hand is in the queue again."""
    async with amqp_proxy(postgres_url) as (line, url), open_database(url) as frail:
        async with collecting(connection, frail):
            line.cut()
            await bury(bus, 3)
            await line.tried()
        await bus.becomes(DEAD_LETTERS, 3)


async def test_collector_says_that_the_queue_is_gone(
    connection: SharedConnection, database: Database, bus: Bus
) -> None:
    """A deleted queue ends the session, so that the supervisor declares it again."""
    await bury(bus, 1)
    with pytest.raises(SessionLostError):
        async with collecting(connection, database) as task:
            await becomes(database, 1)
            await (await bus.queue(DEAD_LETTERS)).delete(if_unused=False, if_empty=False)
            await task
    with pytest.raises(SessionLostError):
        await collect(connection, database, asyncio.Event())

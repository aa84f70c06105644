"""The relay: what is in the outbox reaches the bus, in order, whatever goes away meanwhile or dies."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from aio_pika.abc import AbstractQueue
from pamqp.common import FieldTable

from bridge.amqp.publisher import Publisher, open_publisher
from bridge.amqp.topology import UNROUTED
from bridge.errors import EventTooLargeError, MalformedEventError
from bridge.outbox import OutboxPublisher
from bridge.relay import Relay, Relayed
from bridge.topology.names import PRIORITY_HEADER
from cli.stack.ports import LOOPBACK, choose_port
from contracts.envelope import Event
from contracts.json import Json
from contracts.names import EXCHANGE_EVENTS
from contracts.ports import UnfitEventError
from store.database import Database, open_database
from store.outbox import add_alone, outbox_state, parked_rows
from tests.bridge.library import event
from tests.support.bus import Bus
from tests.support.proxy import amqp_proxy, proxy
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
SOON = timedelta(milliseconds=200)


@pytest.fixture
async def listener(bus: Bus) -> AbstractQueue:
    """A queue that takes all events."""
    await bus.channel.declare_exchange(EXCHANGE_EVENTS, "topic", durable=True)
    queue = await bus.channel.declare_queue("listener", durable=True, arguments={"x-queue-type": "quorum"})
    await queue.bind(EXCHANGE_EVENTS, "#")
    return queue


@pytest.fixture
async def publisher(amqp_url: str) -> AsyncIterator[Publisher]:
    """A publisher to the bus."""
    async with open_publisher(amqp_url) as opened:
        yield opened


def _of(key: str, number: int, kind: str = "order.placed") -> Event:
    return event(kind, {"number": number}, f"{key}-{number}", {"group_id": key})


async def _write(database: Database, events: Iterable[Event]) -> None:
    for one in events:
        await add_alone(database, one)


async def _empty(database: Database) -> bool:
    state = await outbox_state(database)
    return state.waiting == 0


async def _received(queue: AbstractQueue) -> list[str]:
    """Take all that is there, and return the ids."""
    ids = []
    while message := await queue.get(fail=False, no_ack=True):
        ids.append(message.message_id or "")
    return ids


def _once(ids: list[str]) -> list[str]:
    """Drop repetitions, as a consumer does."""
    return list(dict.fromkeys(ids))


@asynccontextmanager
async def _running(relay: Relay) -> AsyncIterator[None]:
    """Run a relay inside the block."""
    stop = asyncio.Event()
    task = asyncio.create_task(relay.run(stop))
    try:
        yield
    finally:
        stop.set()
        await task


async def test_relay_publishes_in_order_and_empties_the_outbox(
    database: Database, publisher: Publisher, listener: AbstractQueue
) -> None:
    """Every event is there once, with its priority; what is confirmed is gone from the outbox."""
    for number in range(30):
        await add_alone(database, _of("k", number), priority=7)
    result = await Relay(database, publisher).drain()
    assert [row.event.id for row in result.confirmed] == [f"k-{number}" for number in range(30)]
    first = await listener.get(no_ack=True)
    assert (first.message_id, first.priority, json.loads(first.body)["data"]) == ("k-0", 7, {"number": 0})
    assert await _received(listener) == [f"k-{number}" for number in range(1, 30)]
    assert await _empty(database)


async def test_relay_publishes_what_is_written_while_it_runs(
    database: Database, publisher: Publisher, listener: AbstractQueue
) -> None:
    """An idle relay notices what comes, by itself and when it is woken; at the end it stops by itself."""
    relay = Relay(database, publisher)
    async with _running(relay):
        await eventually(lambda: _empty(database))
        await _write(database, [_of("k", 1)])
        await eventually(lambda: _empty(database))
        await _write(database, [_of("k", 2)])
        relay.wake()
        await eventually(lambda: _empty(database))
    assert await _received(listener) == ["k-1", "k-2"]
    assert not relay.is_waiting


async def test_two_relays_keep_the_order_of_each_key(
    postgres_url: str, database: Database, publisher: Publisher, listener: AbstractQueue
) -> None:
    """While four writers write, two relays publish: each key's events arrive once, in the order of writing."""
    keys = [f"k{number}" for number in range(16)]

    async def write(mine: list[str]) -> None:
        for number in range(25):
            await _write(database, (_of(key, number) for key in mine))

    async with (
        open_database(postgres_url) as other_pool,
        _running(Relay(database, publisher)),
        _running(Relay(other_pool, publisher)),
    ):
        await asyncio.gather(*(write(keys[at::4]) for at in range(4)))
        await eventually(lambda: _empty(database))
    by_key = defaultdict(list)
    for identity in await _received(listener):
        by_key[identity.split("-")[0]].append(identity)
    assert by_key == {key: [f"{key}-{number}" for number in range(25)] for key in keys}


async def test_killed_relay_repeats_and_loses_nothing(
    postgres_url: str, database: Database, amqp_url: str, publisher: Publisher, listener: AbstractQueue
) -> None:
    """Killed after publishing and before the commit: the next relay publishes the same ids again, in order."""
    await _write(database, (_of(key, number) for number in range(10) for key in ("a", "b", "c")))
    command = (sys.executable, "-m", "tests.bridge.relay_main", postgres_url, amqp_url)
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
    assert await process.wait() == -signal.SIGKILL
    waiting = (await outbox_state(database)).waiting
    assert waiting > 0
    await Relay(database, publisher).drain()
    ids = await _received(listener)
    assert len(ids) > 30
    for key in ("a", "b", "c"):
        assert _once([each for each in ids if each.startswith(key)]) == [f"{key}-{number}" for number in range(10)]


async def test_relay_waits_for_the_broker(database: Database, amqp_url: str, listener: AbstractQueue) -> None:
    """Away for a while: events wait in the outbox, then all are published."""
    async with amqp_proxy(amqp_url) as (line, url), open_publisher(url) as publisher:
        relay = Relay(database, publisher, longest=SOON)
        async with _running(relay):
            await _write(database, (_of("k", number) for number in range(5)))
            await eventually(lambda: _empty(database))
            line.cut()
            await _write(database, (_of("k", number) for number in range(5, 10)))
            await line.tried()
            await eventually(lambda: _is(relay.is_waiting))
            assert (await outbox_state(database)).waiting == 5
            line.mend()
            await eventually(lambda: _empty(database))
    assert _once(await _received(listener)) == [f"k-{number}" for number in range(10)]


async def test_relay_waits_for_postgresql(
    postgres_url: str, database: Database, publisher: Publisher, listener: AbstractQueue
) -> None:
    """Away for a while: it neither ends nor spins, and goes on."""
    parts = urlsplit(postgres_url)
    async with proxy(parts.hostname or LOOPBACK, parts.port or 5432) as line:
        account = parts.netloc.rpartition("@")[0]
        through = urlunsplit(parts._replace(netloc=f"{account}@{LOOPBACK}:{line.port}"))
        async with open_database(through, pool_size=2) as proxied:
            async with _running(Relay(proxied, publisher, longest=SOON)):
                await _write(database, [_of("k", 0)])
                await eventually(lambda: _empty(database))
                line.cut()
                await _write(database, [_of("k", 1)])
                await line.tried()
                line.mend()
                await eventually(lambda: _empty(database))
            line.mend()
    assert _once(await _received(listener)) == ["k-0", "k-1"]


async def test_relay_repeats_what_was_not_confirmed(database: Database, amqp_url: str, listener: AbstractQueue) -> None:
    """A confirm that is lost on its way: the event is published again with the same id, and never lost."""
    async with amqp_proxy(amqp_url) as (line, url), open_publisher(url, timedelta(milliseconds=300)) as publisher:
        told: list[Relayed] = []
        async with _running(Relay(database, publisher, told=told.append, longest=SOON)):
            await _write(database, [_of("k", 0)])
            await eventually(lambda: _empty(database))
            line.swallows = True
            await _write(database, [_of("k", 1), _of("k", 2)])

            async def arrived() -> bool:
                return (await listener.declare()).message_count == 2

            await eventually(arrived)
            assert (await outbox_state(database)).waiting == 2
            line.swallows = False
            await eventually(lambda: _empty(database))
    assert [row.event.id for row in told[1].refused] == ["k-1"]
    ids = await _received(listener)
    assert _once(ids) == ["k-0", "k-1", "k-2"]
    assert ids.count("k-1") >= 2


async def test_relay_keeps_what_nobody_takes(database: Database, publisher: Publisher, bus: Bus) -> None:
    """Unroutable is no success of `events`: it is in the queue of unrouted events."""
    await _write(database, [_of("k", 0)])
    await Relay(database, publisher).drain()
    assert (await bus.take(UNROUTED)).message_id == "k-0"
    assert await _empty(database)


async def test_relay_parks_what_not_even_the_last_queue_takes(
    database: Database, publisher: Publisher, bus: Bus
) -> None:
    """Never reported as success: it stays, with the reason, and what comes after it goes on."""
    await publisher.publish(event())
    await (await bus.queue(UNROUTED)).delete(if_unused=False, if_empty=False)
    await _write(database, [_of("k", 0), _of("k", 1)])
    result = await Relay(database, publisher).drain()
    assert [row.event.id for row, _ in result.parked] == ["k-0", "k-1"]
    parked = await parked_rows(database)
    assert [row.event_id for row in parked] == ["k-0", "k-1"]
    assert "No queue takes the event" in parked[0].reason


async def test_relay_parks_what_is_too_large(database: Database, publisher: Publisher, listener: AbstractQueue) -> None:
    """It is in nobody's way, not even of its own key."""
    large = event(data="x" * 300_000, identity="large", metadata={"group_id": "k"})
    await _write(database, [large, _of("k", 1)])
    await Relay(database, publisher).drain()
    assert await _received(listener) == ["k-1"]
    assert [row.event_id for row in await parked_rows(database)] == ["large"]


async def test_relay_lets_a_refusal_hold_up_its_key_alone(database: Database, publisher: Publisher, bus: Bus) -> None:
    """A full queue: later events of that key wait behind the refused one, those of others pass."""
    await bus.channel.declare_exchange(EXCHANGE_EVENTS, "topic", durable=True)
    arguments: FieldTable = {"x-max-length": 1, "x-overflow": "reject-publish"}
    full = await bus.channel.declare_queue("full", durable=True, arguments=arguments)
    await full.bind(EXCHANGE_EVENTS, "full.up")
    free = await bus.channel.declare_queue("free", durable=True)
    await free.bind(EXCHANGE_EVENTS, "order.placed")
    slow = [_of("a", 0, "full.up"), _of("a", 1, "full.up"), _of("a", 2)]
    await _write(database, [*slow, *(_of(f"b{number}", 0) for number in range(20))])
    async with _running(Relay(database, publisher, longest=SOON)):
        await eventually(lambda: _waits(database, 2))
        assert set(await _received(free)) == {f"b{number}-0" for number in range(20)}
        assert await _received(full) == ["a-0"]
        await eventually(lambda: _empty(database))
    assert await _received(full) == ["a-1"]
    assert await _received(free) == ["a-2"]


async def _waits(database: Database, count: int) -> bool:
    return (await outbox_state(database)).waiting == count


@pytest.mark.parametrize("wrong", ["guest:wrong@", "guest:guest@127.0.0.1:1"])
async def test_relay_parks_nothing_when_the_broker_is_at_fault(database: Database, amqp_url: str, wrong: str) -> None:
    """A wrong password or address concerns all events alike: they wait."""
    url = amqp_url.replace("guest:guest@", wrong) if "wrong" in wrong else f"amqp://{LOOPBACK}:{choose_port()}/"
    await _write(database, [_of("k", 0)])
    async with open_publisher(url) as publisher:
        relay = Relay(database, publisher, longest=SOON)
        async with _running(relay):
            await eventually(lambda: _is(relay.is_waiting))
    state = await outbox_state(database)
    assert (state.waiting, state.parked) == (1, 0)


async def _is(value: bool) -> bool:
    return value


async def test_outbox_publisher_needs_no_broker(database: Database, publisher: Publisher, bus: Bus) -> None:
    """What it writes is safe at once and published later."""
    await OutboxPublisher(database).publish(_of("k", 0), priority=3)
    await Relay(database, publisher).drain()
    message = await bus.take(UNROUTED)
    assert (message.message_id, message.headers[PRIORITY_HEADER]) == ("k-0", 3)


async def test_outbox_publisher_refuses_what_can_never_be_published(database: Database) -> None:
    """Too large, no JSON, or against the check: an error at once, and nothing in the outbox."""

    def refuse(_: Event) -> None:
        raise UnfitEventError("checked")

    nested: Json = None
    for _ in range(70):
        nested = [nested]
    with pytest.raises(EventTooLargeError):
        await OutboxPublisher(database).publish(event(data="x" * 300_000))
    with pytest.raises(UnfitEventError):
        await OutboxPublisher(database).publish(event(data=float("nan")))
    with pytest.raises(MalformedEventError):
        await OutboxPublisher(database).publish(event(data={"key": nested}))
    with pytest.raises(UnfitEventError, match="checked"):
        await OutboxPublisher(database, refuse).publish(event())
    assert await _empty(database)

"""Depths of queues, asked of a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import aio_pika
import pytest
from aio_pika.abc import AbstractIncomingMessage

from bridge.amqp.sharing import sharing
from bridge.depths import Depths, QueueDepth, queues_of
from bridge.topology.model import Topology
from tests.support.bus import Bus
from tests.support.proxy import amqp_proxy
from tests.support.waiting import eventually

NAMES = ("one", "gone", "two")
OFTEN = timedelta(milliseconds=50)


@asynccontextmanager
async def sampling(url: str, names: Sequence[str]) -> AsyncIterator[Depths]:
    """Sample often inside the block; the first numbers are there when it begins."""
    stop = asyncio.Event()
    async with sharing(url, "depths") as shared:
        depths = Depths(shared, lambda: names)
        await depths.sample()
        running = asyncio.create_task(depths.run(stop, OFTEN))
        try:
            yield depths
        finally:
            stop.set()
            await running


async def _two_queues(bus: Bus) -> None:
    """`one` with three messages, `two` with a consumer; `gone` does not exist."""
    await bus.channel.declare_queue("one", durable=True)
    for _ in range(3):
        await bus.channel.default_exchange.publish(aio_pika.Message(b"x"), "one")
    two = await bus.channel.declare_queue("two", durable=True)
    await two.consume(_acknowledge)


async def _acknowledge(message: AbstractIncomingMessage) -> None:
    await message.ack()


async def test_depths_tell_messages_and_consumers(amqp_url: str, bus: Bus) -> None:
    """A queue that is not there closes the channel, and those after it are told all the same."""
    await _two_queues(bus)
    async with sampling(amqp_url, NAMES) as depths:
        assert depths.read() == (QueueDepth("one", 3, 0), QueueDepth("two", 0, 1))


async def test_depths_follow_what_changes(amqp_url: str, bus: Bus) -> None:
    """Messages that go, and a queue that comes later."""
    await _two_queues(bus)
    async with sampling(amqp_url, NAMES) as depths:
        await (await bus.queue("one")).purge()
        await bus.channel.declare_queue("gone", durable=True)

        async def all_there() -> bool:
            return depths.read() == (QueueDepth("one", 0, 0), QueueDepth("gone", 0, 0), QueueDepth("two", 0, 1))

        await eventually(all_there)


async def test_depths_come_back_with_the_broker(amqp_url: str, bus: Bus) -> None:
    """While it is away there are no numbers; afterwards there are, with a new connection."""
    await _two_queues(bus)
    async with amqp_proxy(amqp_url) as (proxy, url), sampling(url, NAMES) as depths:
        assert depths.read()

        async def unknown() -> bool:
            return depths.read() == ()

        async def known() -> bool:
            return depths.read() != ()

        proxy.cut()
        await eventually(unknown)
        proxy.mend()
        await eventually(known)


async def test_depths_of_a_broker_that_is_away_are_none() -> None:
    """No error reaches the caller: measuring must not stop what is measured."""
    async with sampling("amqp://guest:guest@127.0.0.1:1/", NAMES) as depths:
        assert depths.read() == ()


@pytest.mark.parametrize("names", [(), ("nowhere",)])
async def test_depths_may_be_empty(amqp_url: str, names: tuple[str, ...]) -> None:
    """No queue asked for, or none there."""
    async with sampling(amqp_url, names) as depths:
        assert depths.read() == ()


def test_queues_of_a_topology_are_all_that_hold_events() -> None:
    """The inbox, each partition, the delay queues, dead letters, and what nobody took."""
    queues = queues_of(Topology(partitions=2))
    assert [name for name in queues if ".retry." not in name] == [
        "saga.events",
        *("saga.high.0", "saga.high.1", "saga.normal.0", "saga.normal.1", "saga.low.0", "saga.low.1"),
        "saga.dead-letters",
        "events.unrouted",
    ]
    assert len([name for name in queues if name.startswith("saga.retry.")]) == 5

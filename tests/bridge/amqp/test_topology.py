"""The topology: what is declared agrees with what we believe about it."""

from __future__ import annotations

import itertools

from aio_pika.abc import AbstractQueue

from bridge.amqp.connection import address, connected
from bridge.amqp.topology import declare_bus, declare_queues
from bridge.settings import BridgeSettings
from contracts.names import EXCHANGE_EVENTS
from contracts.topics import topic_matches
from tests.bridge.bus import Bus

PATTERNS = ("#", "*", "a", "a.*", "a.#", "#.b", "*.b", "a.*.c", "a.#.c", "#.b.#", "*.#", "a.b", "#.*.#.b")


async def test_topology_may_be_declared_again(amqp_url: str) -> None:
    """Each start declares all of it; what is there and the same is left alone."""
    async with connected(amqp_url, "tests") as connection:
        for _ in range(2):
            await declare_bus(connection)
            await declare_queues(connection, BridgeSettings())


async def test_broker_and_router_agree_about_topic_patterns(amqp_url: str, bus: Bus) -> None:
    """Each event type reaches exactly those queues whose pattern our own matching says."""
    await bus.channel.declare_exchange(EXCHANGE_EVENTS, "topic", durable=True)
    queues = {pattern: await _bound(bus, pattern) for pattern in PATTERNS}
    topics = [".".join(words) for size in (1, 2, 3) for words in itertools.product("abc", repeat=size)]
    for topic in topics:
        await bus.publish_bytes(b"", topic)
    for pattern, queue in queues.items():
        expected = [topic for topic in topics if topic_matches(pattern, topic)]
        assert [(await queue.get()).routing_key for _ in expected] == expected, pattern
        assert await queue.get(fail=False) is None, pattern


async def _bound(bus: Bus, pattern: str) -> AbstractQueue:
    queue = await bus.channel.declare_queue(exclusive=True)
    await queue.bind(EXCHANGE_EVENTS, pattern)
    return queue


def test_address_tells_where_without_the_password() -> None:
    """Host, port and virtual host; defaults are filled in."""
    assert address("amqp://user:secret@broker:5673/orders") == "broker:5673/orders"
    assert address("amqps://broker/") == "broker:5671"
    assert address("amqp://user:secret@[::1]") == "::1:5672"

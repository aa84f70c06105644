"""RabbitMQ 4 in a short form: what the bridge asks of a broker that 4.x does otherwise than 3.x, or might.

`make rabbitmq-4` runs all tests of the bridge and the fault suite on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from aio_pika.abc import AbstractIncomingMessage
from temporalio.client import Client

from bridge.amqp.comparison import compare
from bridge.amqp.connection import connected
from bridge.amqp.delivery import Delivery
from bridge.amqp.publisher import open_publisher
from bridge.amqp.topology import declare, declare_queues
from bridge.settings import BridgeSettings
from bridge.topology.diff import agrees
from bridge.topology.layout import direct_headers, layout
from bridge.topology.model import Declarations, Exchange, Queue
from bridge.topology.names import DEAD_LETTERS, partition_queue
from cli.stack.folder import StateFolder
from cli.stack.rabbitmq import choose_ports
from tests.bridge.amqp.consuming import taken_from
from tests.bridge.environment import BridgeEnvironment, open_environment
from tests.bridge.fault_injection import FaultInjector
from tests.bridge.library import event
from tests.support.bus import TOPOLOGY, Bus, open_bus
from tests.support.services.rabbitmq import fourth_server, own_folder, own_node

pytestmark = [pytest.mark.fault, pytest.mark.xdist_group("rabbitmq-4")]

SETTINGS = BridgeSettings(topology=TOPOLOGY)


class Node:
    """A node that comes back as it was; `broker` is it while it runs."""

    def __init__(self, folder: StateFolder, server: Path) -> None:
        self._open = partial(own_node, folder, choose_ports(()), server)
        self._running = AsyncExitStack()

    async def start(self) -> None:
        self.broker = await self._running.enter_async_context(self._open())

    async def kill(self) -> None:
        await self.broker.kill()
        await self._running.aclose()


@pytest.fixture(scope="module")
async def node() -> AsyncIterator[Node]:
    """A node of RabbitMQ 4."""
    server = fourth_server()
    if server is None:
        pytest.skip("RabbitMQ 4 is not here: deploy/rabbitmq-4 fetches it")
    with own_folder() as folder:
        opened = Node(folder, server)
        await opened.start()
        yield opened
        await opened.kill()


@pytest.fixture
async def url(node: Node) -> str:
    """The URL of an empty virtual host."""
    return await node.broker.fresh_url()


@pytest.fixture
async def env(client: Client, url: str, postgres_url: str) -> AsyncIterator[BridgeEnvironment]:
    """A bridge's surroundings on RabbitMQ 4."""
    async with open_environment(client, url, postgres_url) as opened:
        yield opened


@pytest.fixture
async def bus(url: str) -> AsyncIterator[Bus]:
    """The bus of that virtual host."""
    async with open_bus(url) as opened:
        yield opened


async def test_events_are_handled_retried_and_dead_lettered(env: BridgeEnvironment, bus: Bus) -> None:
    """A start, signals of which one comes back after its delay, and what is no event: each ends as on RabbitMQ 3."""
    key = env.key()
    injector = FaultInjector("after-record", lambda identity: identity == f"{key}-one", times=1)
    async with env.bridge(reached=injector.reached, check=injector.check):
        await bus.publish(event("patient.begin", {"id": key}, key))
        for say in ("one", "two", "end"):
            await bus.publish(event("patient.note", {"id": key, "say": say}, f"{key}-{say}"))
        await bus.publish_bytes(b"{broken", "order.placed", headers={"x-own": "kept"}, message_id="m-1")
        assert await env.notes(key) == ["one", "two", "end"]
        letter = await env.letter()
    assert (letter.code, letter.body, letter.headers["x-own"]) == ("malformed-event", b"{broken", "kept")
    assert "delayed" in {outcome.word for outcome in env.outcomes}


async def test_broker_s_dead_letter_is_read(env: BridgeEnvironment, bus: Bus, url: str) -> None:
    """What expires in a queue of ours comes with the broker's reason, the queue and where it was published."""
    async with connected(url, "tests") as connection:
        await declare_queues(connection, env.settings())
    await bus.publish_bytes(b"stale", "order.placed", expiration=0.001)
    await bus.becomes(DEAD_LETTERS, 1)
    async with env.bridge():
        letter = await env.letter()
    assert (letter.code, letter.exchange, letter.routing_key) == ("expired", "events", "order.placed")
    assert "saga.events" in letter.reason


async def test_broker_counts_deliveries_and_sets_no_limit(bus: Bus, url: str) -> None:
    """Returned more often than the 20 times that are the default of 4.x, a message is still there, with its count.

    A count that its producer sent, which 4.x hands on, is none.
    """
    async with connected(url, "tests") as connection:
        await declare_queues(connection, SETTINGS)
    headers = {**direct_headers("g", "low", TOPOLOGY), "x-delivery-count": 500}
    await bus.publish_bytes(b"again", "a", headers=headers)
    queue = partition_queue("low", TOPOLOGY.partition_of("g"))
    counts = await _returned(bus, queue, 25)
    assert counts == [0, *range(2, 26)] or counts == list(range(25))


async def for_ever() -> timedelta:
    """Return for how long a delivery is ours."""
    return timedelta.max


async def _returned(bus: Bus, queue: str, times: int) -> list[int]:
    """Return a message again and again; tell how often it was delivered before, each time."""
    deliveries: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
    consumed = await bus.channel.get_queue(queue, ensure=False)
    tag = await consumed.consume(deliveries.put)
    counts = []
    for _ in range(times):
        message = await deliveries.get()
        counts.append(Delivery.of(message, queue, for_ever).earlier)
        await message.nack(requeue=True)
    await consumed.cancel(tag)
    return counts


async def test_differences_are_read(node: Node, url: str) -> None:
    """The broker's sentences about what differs are understood, and what was declared agrees."""
    wanted = layout(SETTINGS.topology, ("#",), timedelta(days=7))
    theirs = Queue("saga.high.0", {"x-queue-type": "quorum", "x-delivery-limit": 20})
    async with connected(url, "tests") as connection:
        await declare(connection, Declarations((Exchange("saga.low", "fanout"),), (theirs,)))
        found = [each.difference for each in await compare(connection, wanted) if each.difference]
        assert all(difference.found for difference in found)
        assert {(each.name, each.argument, each.found) for each in found} >= {("saga.low", "type", "fanout")}
        assert [each.name for each in found] == ["saga.low", "saga.high.0"]
    async with connected(await node.broker.fresh_url(), "tests") as connection:
        await declare(connection, wanted)
        assert agrees(await compare(connection, wanted))


async def test_one_key_keeps_its_order_over_priorities_and_a_crash(node: Node, url: str) -> None:
    """Quorum queues of 4.x give higher priorities out first; in a class there is one, before and after a restart."""
    expected = [str(number) for number in range(10)]
    async with connected(url, "tests") as connection:
        await declare_queues(connection, SETTINGS)
    await _publish(url, expected[:6])
    await node.kill()
    await node.start()
    await _publish(url, expected[6:])
    queue = partition_queue("normal", TOPOLOGY.partition_of("g"))
    async with open_bus(url) as bus:
        taken = await taken_from(bus.channel, [queue], len(expected))
    assert [message.message_id for _, message in taken] == expected
    assert [Delivery.of(message, queue, for_ever).priority for _, message in taken] == [4, 6, 5] * 3 + [4]


async def _publish(url: str, identities: Sequence[str]) -> None:
    async with open_publisher(url, topology=TOPOLOGY) as publisher:
        for identity in identities:
            one = event("a", {}, identity, metadata={"group_id": "g"})
            await publisher.publish(one, priority=(4, 6, 5)[int(identity) % 3])

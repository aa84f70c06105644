"""A cluster of three brokers, and any of them dies under load: nothing confirmed is lost, and all goes on by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import aio_pika
import pytest
from aio_pika.abc import AbstractIncomingMessage
from temporalio.client import Client

from bridge.amqp.connection import LOST, connected, nodes_of
from bridge.amqp.publisher import Publisher, open_publisher
from bridge.errors import BrokerRefusedError
from bridge.topology.names import INBOX
from contracts.envelope import Event
from contracts.errors import ServiceUnreachableError, TemporaryError
from contracts.names import EXCHANGE_EVENTS
from tests.bridge.environment import BridgeEnvironment, open_environment
from tests.bridge.library import event
from tests.support.services.cluster import Cluster
from tests.support.waiting import PATIENCE_SECONDS, eventually

pytestmark = pytest.mark.fault

BACK_WITHIN_SECONDS = PATIENCE_SECONDS
QUEUE = "listener"
_PACE_SECONDS = 0.05


class Producer:
    """Publishes without end, each event until it is confirmed: the load, and the ledger of what was confirmed."""

    def __init__(self, publisher: Publisher, kind: str) -> None:
        self.confirmed: list[str] = []
        self._publisher, self._kind = publisher, kind
        self._stop = asyncio.Event()

    async def produce(self, keys: AsyncIterator[str]) -> None:
        """Publish until `stop`."""
        async for key in keys:
            if self._stop.is_set():
                return
            if await self._insist(event(self._kind, {"id": key}, key)):
                self.confirmed.append(key)
            await asyncio.sleep(_PACE_SECONDS)  # the load, which is not to outrun a busy machine

    def stop(self) -> None:
        """End, with the event in hand or without it."""
        self._stop.set()

    async def _insist(self, one: Event) -> bool:
        while not self._stop.is_set():
            try:
                await self._publisher.publish(one)
            except (TemporaryError, BrokerRefusedError):
                await asyncio.sleep(0.05)  # a producer's own pause between tries
            else:
                return True
        return False


async def _keys(world_key: str) -> AsyncIterator[str]:
    number = 0
    while True:
        yield f"{world_key}-{number}"
        number += 1


@asynccontextmanager
async def _load(url: str, kind: str, prefix: str) -> AsyncIterator[Producer]:
    """Two producers' worth of load inside the block."""
    async with open_publisher(url) as publisher:
        producer = Producer(publisher, kind)
        tasks = [asyncio.create_task(producer.produce(_keys(f"{prefix}-{number}"))) for number in "ab"]
        try:
            yield producer
        finally:
            producer.stop()
            await asyncio.gather(*tasks)


class Consumer:
    """A consumer of no part of ours, which connects again whenever it is cut off."""

    def __init__(self, url: str) -> None:
        self.ids: set[str] = set()
        self._url = url

    async def consume(self) -> None:
        """Consume until cancelled."""
        while True:
            with suppress(ServiceUnreachableError, BrokerRefusedError, *LOST):
                await self._session()
            await asyncio.sleep(0.05)  # a consumer's own pause between tries

    async def seen(self, ids: list[str]) -> None:
        """Wait until all these have been seen."""

        async def all_seen() -> bool:
            return self.ids.issuperset(ids)

        await eventually(all_seen)

    async def _session(self) -> None:
        async with connected(self._url, "tests consumer") as connection:
            channel = await connection.channel()
            lost = asyncio.Event()
            channel.close_callbacks.add(lambda *_: lost.set())
            await channel.set_qos(prefetch_count=20)
            await (await channel.get_queue(QUEUE, ensure=False)).consume(self._take)
            await lost.wait()

    async def _take(self, message: AbstractIncomingMessage) -> None:
        await message.ack()
        self.ids.add(message.message_id or "")


async def _declare(url: str) -> None:
    async with await aio_pika.connect(nodes_of(url)[0]) as connection, connection.channel() as channel:
        await channel.declare_exchange(EXCHANGE_EVENTS, "topic", durable=True)
        queue = await channel.declare_queue(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
        await queue.bind(EXCHANGE_EVENTS, "#")


async def _goes_on(producer: Producer, seen: Callable[[list[str]], Awaitable[None]], count: int = 30) -> None:
    """Wait until so many more are confirmed, and these have been seen as well."""
    wanted = len(producer.confirmed) + count

    async def confirmed() -> bool:
        return len(producer.confirmed) >= wanted

    async with asyncio.timeout(BACK_WITHIN_SECONDS):
        await eventually(confirmed)
        await seen(producer.confirmed[:wanted])


async def test_publisher_and_consumer_outlive_each_node_in_turn(cluster: Cluster, cluster_url: str) -> None:
    """Killed one after the other, also the leader and the node of each connection: what was confirmed is delivered."""
    await _declare(cluster_url)
    consumer = Consumer(cluster_url)
    consuming = asyncio.create_task(consumer.consume())
    async with _load(cluster_url, "order.placed", "k") as producer:
        await _goes_on(producer, consumer.seen)
        for node in cluster.nodes:
            await node.kill()
            await _goes_on(producer, consumer.seen)
            await cluster.whole()
    await consumer.seen(producer.confirmed)
    consuming.cancel()


async def test_bridge_outlives_the_leader_and_its_own_node(
    client: Client, postgres_url: str, cluster: Cluster, cluster_url: str
) -> None:
    """Under load the leader of its queues dies, then the node that it is connected to: each event starts one run."""
    async with open_environment(client, cluster_url, postgres_url) as env, env.bridge():

        async def handled(keys: list[str]) -> None:
            await eventually(lambda: _all_handled(env, keys))

        async with _load(cluster_url, "quick.go", env.key()) as producer:
            await _goes_on(producer, handled)
            await cluster.node(await cluster.leader(cluster_url, INBOX)).kill()
            await _goes_on(producer, handled)
            await cluster.whole()
            await cluster.node(await cluster.connected_to("sagawright bridge, consuming")).kill()
            await _goes_on(producer, handled)
            await cluster.whole()
        await handled(producer.confirmed)
        assert {await env.finished(f"quick/{key}") for key in producer.confirmed} == {1}


async def _all_handled(env: BridgeEnvironment, keys: list[str]) -> bool:
    """Whether each was dispatched; one whose acknowledgement was cut off is told as a duplicate when it comes again."""
    told = {outcome.event_id for outcome in env.outcomes if outcome.word in ("dispatched", "duplicate")}
    return told.issuperset(keys)

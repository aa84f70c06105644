"""Outages: whatever goes away and comes back, no event is lost and no run starts twice; the rest is said plainly."""

from __future__ import annotations

import asyncio

import pytest
from aio_pika.exceptions import ChannelNotFoundEntity
from pamqp.common import FieldTable
from temporalio.client import Client

from bridge.errors import BrokerRefusedError, TopologyMismatchError
from bridge.topology.names import EXCHANGE_DEAD_LETTERS, partition_queue
from cli.stack.events import Service
from cli.stack.ports import LOOPBACK, choose_port
from contracts.errors import ServiceUnreachableError
from contracts.names import EXCHANGE_EVENTS
from tests.bridge.environment import BridgeEnvironment, open_environment
from tests.bridge.library import event
from tests.support.bus import DEAD_LETTERS, EVENTS, Bus, open_bus
from tests.support.proxy import amqp_proxy, proxy
from tests.support.services.rabbitmq import Broker
from tests.support.waiting import eventually

pytestmark = pytest.mark.fault


async def _publish(bus: Bus, keys: list[str]) -> None:
    await asyncio.gather(*(bus.publish(event("quick.go", {"id": key}, key)) for key in keys))


async def _consumed(url: str, queue: str) -> bool:
    """Whether the queue has a consumer; asked on a connection of its own, which a missing queue breaks."""
    async with open_bus(url) as bus:
        try:
            return ((await bus.queue(queue)).declaration_result.consumer_count or 0) > 0
        except ChannelNotFoundEntity:
            return False


async def _all_once(env: BridgeEnvironment, keys: list[str]) -> bool:
    return [await env.finished(f"quick/{key}") for key in keys] == [1] * len(keys)


async def test_bridge_waits_for_temporal_and_loses_nothing(
    env: BridgeEnvironment, bus: Bus, temporal_service: Service
) -> None:
    """Temporal away: nothing is acknowledged or dead-lettered. Temporal back: everything starts once."""
    host, _, port = temporal_service.url.partition(":")
    keys = [env.key() for _ in range(30)]
    async with proxy(host, int(port)) as line:
        client = await Client.connect(f"{LOOPBACK}:{line.port}")
        async with env.bridge(client=client, prefetch=10) as bridge:
            line.cut()
            await _publish(bus, keys)
            await line.tried()
            assert bridge.counts == {}
            line.mend()
            await env.outcomes.until(len(keys))
            assert bridge.counts == {"dispatched": len(keys)}
    assert await _all_once(env, keys)


async def test_bridge_comes_back_after_its_connection_was_cut(env: BridgeEnvironment, bus: Bus) -> None:
    """A cut in the middle of the work costs a redelivery, not a run."""
    keys = [env.key() for _ in range(30)]
    async with amqp_proxy(env.amqp_url) as (line, url), env.bridge(url=url, prefetch=5):
        await _publish(bus, keys[:15])
        await env.outcomes.until(3)
        line.cut()
        await _publish(bus, keys[15:])
        line.mend()
        await env.begun(f"quick/{key}" for key in keys)
        assert await _all_once(env, keys)
        await bus.all_taken()


@pytest.mark.parametrize("queue", [EVENTS, partition_queue("low", 0), partition_queue("low", 1)])
async def test_bridge_comes_back_after_its_queue_was_deleted(env: BridgeEnvironment, bus: Bus, queue: str) -> None:
    """The broker cancels the consumer; the bridge declares the queue again and consumes."""
    key = env.key()
    async with env.bridge():
        await (await bus.queue(queue)).delete(if_unused=False, if_empty=False)
        await eventually(lambda: _consumed(env.amqp_url, queue))
        await _publish(bus, [key])
        await env.outcomes.until(1)
    assert await _all_once(env, [key])


async def test_bridge_comes_back_after_the_dead_letter_queue_was_deleted(env: BridgeEnvironment, bus: Bus) -> None:
    """A dead letter that no queue takes is not acknowledged; it is stored once the queue is there again."""
    async with env.bridge():
        await (await bus.queue(DEAD_LETTERS)).delete(if_unused=False, if_empty=False)
        await bus.publish_bytes(b"?", "a")
        await env.outcomes.until(1)
        assert (await env.letter()).body == b"?"


async def test_bridge_survives_a_restart_of_the_broker(own_broker: Broker, client: Client, postgres_url: str) -> None:
    """Queue and messages survive the restart of RabbitMQ's application, and the bridge goes on by itself."""
    url = await own_broker.fresh_url()
    async with open_environment(client, url, postgres_url) as env, open_bus(url) as bus:
        keys = [env.key() for _ in range(10)]
        async with env.bridge(prefetch=2):
            await _publish(bus, keys)
            await own_broker.control("stop_app")
            await own_broker.control("start_app")
            await env.begun(f"quick/{key}" for key in keys)
        assert await _all_once(env, keys)


@pytest.mark.parametrize(
    ("queue", "arguments", "named"),
    [
        (EVENTS, {"x-queue-type": "classic"}, "saga.events: x-dead-letter-exchange is not set on the broker"),
        (partition_queue("low", 1), {"x-queue-type": "quorum"}, "its dead letters could get lost"),
        (DEAD_LETTERS, {"x-queue-type": "quorum", "x-message-ttl": 1}, "x-delivery-limit is not set on the broker"),
    ],
)
async def test_bridge_refuses_a_queue_with_other_properties(
    env: BridgeEnvironment, bus: Bus, queue: str, arguments: FieldTable, named: str
) -> None:
    """A queue of the same name that is another ends the bridge at once, with the property's name."""
    await bus.channel.declare_queue(queue, durable=True, arguments=arguments)
    with pytest.raises(TopologyMismatchError, match=named):
        async with env.bridge():
            raise AssertionError("it must not consume")


async def test_bridge_ends_when_its_queue_becomes_another(env: BridgeEnvironment, bus: Bus) -> None:
    """A queue that was made otherwise while the bridge was cut off ends it with the same plain message."""
    async with amqp_proxy(env.amqp_url) as (line, url):
        with pytest.raises(TopologyMismatchError):
            async with env.bridge(url=url) as bridge:
                line.cut()
                await (await bus.queue(EVENTS)).delete(if_unused=False, if_empty=False)
                await bus.channel.declare_queue(EVENTS, durable=True)
                line.mend()
                await bridge.ended()


async def test_bridge_agrees_with_producers_that_declare_the_exchanges_themselves(
    env: BridgeEnvironment, bus: Bus
) -> None:
    """Plain durable topic exchanges `events` and `dlx`, as the seed's producer declares them, fit before and after."""
    for _ in range(2):
        await bus.channel.declare_exchange(EXCHANGE_EVENTS, "topic", durable=True)
        await bus.channel.declare_exchange(EXCHANGE_DEAD_LETTERS, "topic", durable=True)
        async with env.bridge():
            pass


async def test_bridge_says_plainly_that_the_broker_is_away(env: BridgeEnvironment) -> None:
    """At the start a broker that is away is an error with its address, not a loop."""
    with pytest.raises(ServiceUnreachableError, match="RabbitMQ at"):
        async with env.bridge(url=f"amqp://{LOOPBACK}:{choose_port()}/"):
            raise AssertionError("it must not consume")


@pytest.mark.parametrize("wrong", ["guest:wrong@", "guest:guest@"])
async def test_bridge_says_plainly_that_the_broker_refuses_it(env: BridgeEnvironment, wrong: str) -> None:
    """A wrong password or virtual host is told apart from a broker that is away."""
    url = env.amqp_url.replace("guest:guest@", wrong) + ("" if "wrong" in wrong else "-unknown")
    with pytest.raises(BrokerRefusedError):
        async with env.bridge(url=url):
            raise AssertionError("it must not consume")

"""Publishing: confirmed, persistent, never lost in silence."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from aio_pika import DeliveryMode
from pamqp.common import FieldTable

from bridge.amqp.publisher import GROUP_HEADER, open_publisher
from bridge.amqp.topology import UNROUTED
from bridge.errors import (
    BrokerRefusedError,
    EventTooLargeError,
    PublishUnconfirmedError,
    TopologyMismatchError,
    UnroutableEventError,
)
from cli.stack.ports import LOOPBACK, choose_port
from contracts.errors import ServiceUnreachableError
from contracts.names import EXCHANGE_EVENTS
from tests.bridge.bus import Bus
from tests.bridge.library import event
from tests.bridge.proxy import amqp_proxy


async def _listen(bus: Bus, pattern: str = "#") -> None:
    await bus.channel.declare_exchange(EXCHANGE_EVENTS, "topic", durable=True)
    queue = await bus.channel.declare_queue("listener", durable=True)
    await queue.bind(EXCHANGE_EVENTS, pattern)


async def test_publisher_sends_the_envelope_with_its_properties(amqp_url: str, bus: Bus) -> None:
    """A consumer finds the envelope in the body, and its id, type, cause and group in the properties."""
    await _listen(bus, "order.*")
    sent = event(data={"a": "ü"}, metadata={"group_id": "g-1", "correlation_id": "c-1"})
    async with open_publisher(amqp_url) as publisher:
        await publisher.publish(sent, priority=7)
    message = await bus.take("listener")
    assert json.loads(message.body) == sent.to_json()
    assert (message.message_id, message.type, message.correlation_id) == ("evt-1", "order.placed", "c-1")
    assert (message.priority, message.delivery_mode) == (7, DeliveryMode.PERSISTENT)
    assert (message.routing_key, message.content_type) == ("order.placed", "application/json")
    assert (message.timestamp, message.headers) == (sent.time, {GROUP_HEADER: "g-1"})


async def test_publisher_keeps_what_nobody_takes(amqp_url: str, bus: Bus) -> None:
    """An event without a listener is no failure, and is found in the queue of unrouted events."""
    async with open_publisher(amqp_url) as publisher:
        await publisher.publish(event())
    message = await bus.take(UNROUTED)
    assert (message.message_id, message.routing_key) == ("evt-1", "order.placed")


async def test_publisher_reports_what_not_even_the_last_queue_takes(amqp_url: str, bus: Bus) -> None:
    """Unroutable is never reported as success."""
    async with open_publisher(amqp_url) as publisher:
        await publisher.publish(event())
        await (await bus.queue(UNROUTED)).delete(if_unused=False, if_empty=False)
        with pytest.raises(UnroutableEventError):
            await publisher.publish(event(identity="evt-2"))


async def test_publisher_publishes_many_at_once(amqp_url: str, bus: Bus) -> None:
    """Many tasks share one connection; also before it is open."""
    await _listen(bus)
    async with open_publisher(amqp_url) as publisher:
        await asyncio.gather(*(publisher.publish(event(identity=f"evt-{at}")) for at in range(200)))
    assert await bus.depth("listener") == 200


async def test_publisher_says_plainly_that_the_broker_is_away() -> None:
    """One line with the service, the address and the cure; the password is not in it."""
    port = choose_port()
    async with open_publisher(f"amqp://user:secret@{LOOPBACK}:{port}/") as publisher:
        with pytest.raises(ServiceUnreachableError) as caught:
            await publisher.publish(event())
    assert f"RabbitMQ at {LOOPBACK}:{port}" in str(caught.value)
    assert "secret" not in str(caught.value)


async def test_publisher_says_plainly_that_the_broker_refuses_it(amqp_url: str) -> None:
    """A wrong password is told apart from a broker that is away."""
    async with open_publisher(amqp_url.replace("guest:guest", "guest:wrong")) as publisher:
        with pytest.raises(BrokerRefusedError):
            await publisher.publish(event())


async def test_publisher_comes_back_after_the_connection_was_cut(amqp_url: str, bus: Bus) -> None:
    """The broker away: a plain error. The broker back: the next event goes through."""
    await _listen(bus)
    async with amqp_proxy(amqp_url) as (proxy, url), open_publisher(url) as publisher:
        await publisher.publish(event(identity="before"))
        proxy.cut()
        with pytest.raises(ServiceUnreachableError):
            await publisher.publish(event(identity="meanwhile"))
        proxy.mend()
        await publisher.publish(event(identity="after"))
    assert [(await bus.take("listener")).message_id for _ in range(2)] == ["before", "after"]


async def test_publisher_does_not_wait_for_ever_for_a_confirm(amqp_url: str, bus: Bus) -> None:
    """A confirm that never comes is an error in time, and the next event goes through a new connection."""
    await _listen(bus)
    limit = timedelta(milliseconds=300)
    async with amqp_proxy(amqp_url) as (proxy, url), open_publisher(url, limit) as publisher:
        await publisher.publish(event(identity="before"))
        proxy.swallows = True
        with pytest.raises(PublishUnconfirmedError):
            await publisher.publish(event(identity="unclear"))
        proxy.swallows = False
        await publisher.publish(event(identity="after"))


async def test_publisher_reports_a_full_queue(amqp_url: str, bus: Bus) -> None:
    """A queue that refuses more is an error that may pass."""
    await bus.channel.declare_exchange(EXCHANGE_EVENTS, "topic", durable=True)
    arguments: FieldTable = {"x-max-length": 1, "x-overflow": "reject-publish"}
    queue = await bus.channel.declare_queue("full", durable=True, arguments=arguments)
    await queue.bind(EXCHANGE_EVENTS, "#")
    async with open_publisher(amqp_url) as publisher:
        await publisher.publish(event(identity="evt-1"))
        with pytest.raises(PublishUnconfirmedError):
            await publisher.publish(event(identity="evt-2"))


@pytest.mark.parametrize("unfit", [event(data="x" * 300_000), event(kind="x" * 256), event(identity="x" * 256)])
async def test_publisher_refuses_what_the_bus_cannot_carry(amqp_url: str, unfit: object) -> None:
    """Too large is an error before anything is sent."""
    async with open_publisher(amqp_url) as publisher:
        with pytest.raises(EventTooLargeError):
            await publisher.publish(unfit)  # type: ignore[arg-type]  # parametrize loses the type


async def test_publisher_carries_long_correlation_ids_in_the_envelope_alone(amqp_url: str, bus: Bus) -> None:
    """What an AMQP property cannot hold does not break the publish."""
    await _listen(bus)
    async with open_publisher(amqp_url) as publisher:
        await publisher.publish(event(metadata={"correlation_id": "c" * 300}))
    message = await bus.take("listener")
    assert message.correlation_id is None
    assert json.loads(message.body)["metadata"]["correlation_id"] == "c" * 300


async def test_publisher_names_a_topology_that_is_another(amqp_url: str, bus: Bus) -> None:
    """An exchange of the same name with other properties is told in the broker's words."""
    await bus.channel.declare_exchange(EXCHANGE_EVENTS, "fanout", durable=True)
    async with open_publisher(amqp_url) as publisher:
        with pytest.raises(TopologyMismatchError, match="type"):
            await publisher.publish(event())

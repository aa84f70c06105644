"""Publishing: confirmed, persistent, never lost in silence."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from aio_pika import DeliveryMode
from pamqp.common import FieldTable

from bridge.amqp.confirms import PublishRefusedError
from bridge.amqp.publisher import Publisher, open_publisher
from bridge.amqp.sharing import sharing
from bridge.amqp.topology import UNROUTED
from bridge.errors import (
    BrokerRefusedError,
    EventTooLargeError,
    PublishUnconfirmedError,
    TopologyMismatchError,
    UnroutableEventError,
)
from bridge.topology.layout import direct_headers
from bridge.topology.model import Topology
from bridge.topology.names import CLASS_HEADER, GROUP_HEADER, PRIORITY_HEADER
from cli.stack.ports import LOOPBACK, choose_port
from contracts.envelope import Event
from contracts.errors import PermanentError, ServiceUnreachableError
from contracts.names import EXCHANGE_EVENTS
from contracts.ports import UnfitEventError
from tests.bridge.library import event
from tests.support.bus import Bus
from tests.support.proxy import amqp_proxy


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
    assert (message.timestamp, message.headers) == (sent.time, direct_headers("g-1", "high", Topology()))


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


async def _full_queue(bus: Bus, pattern: str) -> None:
    await bus.channel.declare_exchange(EXCHANGE_EVENTS, "topic", durable=True)
    arguments: FieldTable = {"x-max-length": 1, "x-overflow": "reject-publish"}
    queue = await bus.channel.declare_queue("full", durable=True, arguments=arguments)
    await queue.bind(EXCHANGE_EVENTS, pattern)


async def test_publisher_reports_a_full_queue(amqp_url: str, bus: Bus) -> None:
    """A queue that refuses more is an error that may pass."""
    await _full_queue(bus, "#")
    async with open_publisher(amqp_url) as publisher:
        await publisher.publish(event(identity="evt-1"))
        with pytest.raises(PublishRefusedError):
            await publisher.publish(event(identity="evt-2"))


async def test_publisher_does_not_let_a_refusal_disturb_others(amqp_url: str, bus: Bus) -> None:
    """What is in flight on the same channel is confirmed, whatever the broker refuses beside it."""
    await _listen(bus, "order.*")
    await _full_queue(bus, "full.*")
    async with open_publisher(amqp_url) as publisher:
        await publisher.publish(event("full.up"))
        refused = [publisher.publish(event("full.up", identity=f"full-{at}")) for at in range(20)]
        taken = [publisher.publish(event(identity=f"evt-{at}")) for at in range(20)]
        results = await asyncio.gather(*refused, *taken, return_exceptions=True)
    assert all(isinstance(result, PublishRefusedError) for result in results[:20])
    assert results[20:] == [None] * 20
    assert await bus.depth("listener") == 20


@pytest.mark.parametrize(
    "unfit",
    [
        event(data="x" * 300_000),
        event(kind="x" * 256),
        event(identity="x" * 256),
        event(metadata={"group_id": "g" * 200_000}),
    ],
)
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


async def test_publisher_sends_the_trace_as_headers(amqp_url: str, bus: Bus) -> None:
    """Consumers of any make continue the trace that stands in the metadata."""
    await _listen(bus)
    trace = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "tracestate": "a=b"}
    async with open_publisher(amqp_url) as publisher:
        await publisher.publish(event(metadata={**trace}))
    assert (await bus.take("listener")).headers == trace


async def test_publisher_leaves_a_group_that_is_long_to_the_bridge(amqp_url: str, bus: Bus) -> None:
    """It takes the direct way only if its header is the one that the bridge would give it."""
    await _listen(bus)
    long, short = "ü" * 501, "ü" * 500
    async with open_publisher(amqp_url) as publisher:
        await publisher.publish(event(identity="long", metadata={"group_id": long}))
        await publisher.publish(event(identity="short", metadata={"group_id": short}))
    assert (await bus.take("listener")).headers == {GROUP_HEADER: long}
    assert (await bus.take("listener")).headers == direct_headers(short, "low", Topology())


@pytest.mark.parametrize("priority", [0, 3, 4, 6, 7, 9])
async def test_publisher_gives_each_priority_its_class(amqp_url: str, bus: Bus, priority: int) -> None:
    """High from 7, normal from 4, low below; all of a class have its lowest priority, and a header their own."""
    await _listen(bus)
    async with open_publisher(amqp_url) as publisher:
        await publisher.publish(event(metadata={"group_id": "g"}), priority=priority)
    expected, lowest = ("high", 7) if priority >= 7 else ("normal", 4) if priority >= 4 else ("low", 0)
    message = await bus.take("listener")
    assert (message.headers[CLASS_HEADER], message.priority) == (expected, lowest)
    assert message.headers.get(PRIORITY_HEADER, lowest) == priority


async def test_publisher_writes_cloud_events(amqp_url: str, bus: Bus) -> None:
    """In the form that it is told; headers of ours stand beside those of the form."""
    await _listen(bus)
    async with open_publisher(amqp_url, form="cloudevents-binary") as publisher:
        await publisher.publish(event(data={"a": 1}, metadata={"group_id": "g"}))
    message = await bus.take("listener")
    assert json.loads(message.body) == {"a": 1}
    assert (message.headers["cloudEvents:id"], message.headers[CLASS_HEADER]) == ("evt-1", "low")


@pytest.mark.parametrize("data", [float("nan"), "\ud800"])
async def test_publisher_refuses_what_is_no_json(data: object) -> None:
    """A number that is none, or half a character, is an error before anything is sent."""
    async with open_publisher(f"amqp://{LOOPBACK}:{choose_port()}/") as publisher:
        with pytest.raises(UnfitEventError):
            await publisher.publish(event(data=data))  # type: ignore[arg-type]  # it is what no JSON is


class WrongSchemaError(PermanentError):
    """It is not what its schema says."""


def _refuse(_: Event) -> None:
    raise WrongSchemaError("data.total")


async def test_publisher_asks_the_check_before_it_sends(amqp_url: str, bus: Bus) -> None:
    """What the check refuses is not published."""
    await _listen(bus)
    async with open_publisher(amqp_url, check=_refuse) as publisher:
        with pytest.raises(WrongSchemaError):
            await publisher.publish(event())
    assert await bus.depth("listener") == 0


async def test_publishers_share_a_connection(amqp_url: str, bus: Bus) -> None:
    """Two publishers on one connection: one that gives its channel up leaves the other's alone."""
    await _listen(bus)
    async with sharing(amqp_url, "tests") as shared:
        one, other = Publisher(shared), Publisher(shared)
        await one.publish(event(identity="one"))
        await other.publish(event(identity="other"))
        connection = await shared.opened()
        await one.close()
        await other.publish(event(identity="again"))
        assert await shared.opened() is connection
    assert connection.is_closed
    assert await bus.depth("listener") == 3

"""The topology on a real broker: it agrees with what we believe about it, and says plainly what stands in the way."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from datetime import timedelta

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, AbstractQueue, HeadersType

from bridge.amqp.connection import address, connected
from bridge.amqp.sharing import sharing
from bridge.amqp.topology import declare, declare_bus, declare_queues
from bridge.errors import BrokerRefusedError, TopologyMismatchError
from bridge.settings import BridgeSettings
from bridge.topology.file import load_topology
from bridge.topology.layout import direct_headers
from bridge.topology.model import CLASSES, Argument, Binding, Declarations, Exchange, Queue, Topology
from bridge.topology.names import (
    CLASS_HEADER,
    DEAD_LETTERS,
    GROUP_HEADER,
    INBOX,
    PARTITION_HEADER,
    RETRY_DELAYS,
    UNROUTED,
    partition_queue,
    retry_exchange,
)
from contracts.names import EXCHANGE_EVENTS
from contracts.topics import topic_matches
from tests.bridge.amqp.consuming import taken_from
from tests.support.bus import Bus, open_bus
from tests.support.services.rabbitmq import Broker, own_folder, own_node
from tests.support.waiting import PATIENCE_SECONDS

PATTERNS = ("#", "*", "a", "a.*", "a.#", "#.b", "*.b", "a.*.c", "a.#.c", "#.b.#", "*.#", "a.b", "#.*.#.b")
SETTINGS = BridgeSettings(topology=Topology(partitions=4))
PARTITIONS = tuple(partition_queue(name, number) for name in CLASSES for number in range(4))
KEYS = tuple(f"key-{number}" for number in range(30))


async def _declared(url: str, settings: BridgeSettings = SETTINGS) -> None:
    async with sharing(url, "tests") as shared:
        await declare_queues(await shared.opened(), settings)


def _direct(key: str, priority_class: str = "high", settings: BridgeSettings = SETTINGS) -> HeadersType:
    return {**direct_headers(key, priority_class, settings.topology)}


async def _places(bus: Bus) -> dict[tuple[str, str], set[str]]:
    """Publish two events of each key in each class; return the queues in which they were."""
    pairs = [(name, key) for name in CLASSES for key in KEYS]
    for name, key in pairs * 2:
        await bus.publish_bytes(key.encode(), "order.placed", headers=_direct(key, name))
    places: dict[tuple[str, str], set[str]] = {pair: set() for pair in pairs}
    for queue, message in await taken_from(bus.channel, PARTITIONS, 2 * len(pairs)):
        places[str(message.headers[CLASS_HEADER]), message.body.decode()].add(queue)
    return places


async def test_topology_may_be_declared_again(amqp_url: str) -> None:
    """Each start declares all of it; what is there and the same is left alone, also by two at once."""
    async with connected(amqp_url, "tests") as connection, connected(amqp_url, "others") as other:
        await asyncio.gather(declare_queues(connection, SETTINGS), declare_queues(other, SETTINGS))
        await declare_bus(connection)
        await declare_queues(connection, SETTINGS)


async def test_keyed_event_has_one_queue_of_its_class(amqp_url: str, bus: Bus) -> None:
    """All events with one key are in one partition of their class, and the keys are shared out over all of them."""
    await _declared(amqp_url)
    places = await _places(bus)
    assert all(len(queues) == 1 for queues in places.values())
    assert all(queue.startswith(f"saga.{name}.") for (name, _), queues in places.items() for queue in queues)
    assert set().union(*places.values()) == set(PARTITIONS)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {GROUP_HEADER: "a"},
        {CLASS_HEADER: "high"},
        {GROUP_HEADER: "a", CLASS_HEADER: "high"},
        {CLASS_HEADER: "high", PARTITION_HEADER: "1"},
        {GROUP_HEADER: "a", PARTITION_HEADER: "1"},
        {GROUP_HEADER: "a", CLASS_HEADER: "urgent", PARTITION_HEADER: "1"},
        {GROUP_HEADER: "a", CLASS_HEADER: "high", PARTITION_HEADER: "4"},
        {GROUP_HEADER: "a", CLASS_HEADER: "high", PARTITION_HEADER: 1},
        {"group-id": "a", "priority-class": "high", "partition": "1"},
    ],
)
async def test_event_that_does_not_say_its_place_comes_to_the_inbox(
    headers: HeadersType, amqp_url: str, bus: Bus
) -> None:
    """The bridge sorts what lacks one of the three headers, or has one that names nothing; a partition is a text."""
    await _declared(amqp_url)
    await bus.publish_bytes(b"", "order.placed", headers=headers)
    [(_, message)] = await taken_from(bus.channel, [INBOX], 1)
    assert message.routing_key == "order.placed"


async def test_group_id_of_any_value_counts_as_given(amqp_url: str, bus: Bus) -> None:
    """The header only has to be there: a number or an empty text are keys as well."""
    await _declared(amqp_url)
    for key in (7, "", True):
        await bus.publish_bytes(b"", "a", headers={**_direct("any", "low"), GROUP_HEADER: key})
    assert len(await taken_from(bus.channel, PARTITIONS, 3)) == 3


async def test_event_that_no_partition_takes_comes_to_the_inbox(amqp_url: str, bus: Bus) -> None:
    """Deleted partitions lose nothing."""
    await _declared(amqp_url)
    for number in range(4):
        await bus.channel.queue_delete(partition_queue("high", number))
    await bus.publish_bytes(b"", "a", headers=_direct("a"))
    assert len(await taken_from(bus.channel, [INBOX], 1)) == 1


@pytest.mark.fault
async def test_keys_keep_their_queues_over_a_crash_of_the_broker() -> None:
    """Killed and started again: confirmed messages are there, and what comes, whoever is there, goes behind them."""
    with own_folder() as folder:
        async with own_node(folder) as node:
            await _declared(node.service.url)
            async with open_bus(node.service.url) as bus:
                before = await _places(bus)
                await bus.publish_bytes(b"waiting", "a", headers=_direct("key-0"))
            await node.kill()
        async with own_node(folder) as node, open_bus(node.service.url) as bus:
            await bus.publish_bytes(b"meanwhile", "a", mandatory=True, headers=_direct("key-0"))
            waiting, meanwhile = await taken_from(bus.channel, PARTITIONS, 2)
            assert (waiting[1].body, meanwhile[1].body) == (b"waiting", b"meanwhile")
            assert before["high", "key-0"] == {waiting[0]} == {meanwhile[0]}
            await _declared(node.service.url)
            assert await _places(bus) == before


async def test_delayed_message_comes_back_to_its_queue(amqp_url: str, bus: Bus) -> None:
    """A message that is published to a delay exchange returns to the queue that its routing key names."""
    await _declared(amqp_url)
    exchange = await bus.channel.get_exchange(retry_exchange(0), ensure=False)
    await exchange.publish(aio_pika.Message(b"again", headers={GROUP_HEADER: "a"}), PARTITIONS[-1])
    [(_, message)] = await taken_from(bus.channel, [PARTITIONS[-1]], 1)
    assert (message.body, message.headers[GROUP_HEADER]) == (b"again", "a")


async def test_delayed_message_waits_for_its_queue(amqp_url: str, bus: Bus) -> None:
    """A message that finds its queue gone comes as soon as it is there again, not minutes later."""
    await _declared(amqp_url)
    await bus.channel.queue_delete(PARTITIONS[-1])
    exchange = await bus.channel.get_exchange(retry_exchange(0), ensure=False)
    await exchange.publish(aio_pika.Message(b"again", headers={GROUP_HEADER: "a"}), PARTITIONS[-1])
    await asyncio.sleep(2 * RETRY_DELAYS[0].total_seconds())  # it comes out meanwhile
    await _declared(amqp_url)
    [(_, message)] = await taken_from(bus.channel, [PARTITIONS[-1]], 1)
    assert message.body == b"again"


async def test_event_that_waits_too_long_is_dead_lettered(amqp_url: str, bus: Bus) -> None:
    """With a time to live, what nobody takes ends with the dead letters, with its reason and queue."""
    settings = BridgeSettings(topology=Topology(partitions=1, message_ttl=timedelta(milliseconds=50)))
    await _declared(amqp_url, settings)
    await bus.publish_bytes(b"stale", "a")
    await bus.publish_bytes(b"stale", "a", headers=_direct("a", settings=settings))
    taken = await taken_from(bus.channel, [DEAD_LETTERS], 2)
    keys = {message.routing_key for _, message in taken}
    assert keys == {f"dlx.{INBOX}", "dlx.saga.high.0"}
    assert {message.headers["x-first-death-reason"] for _, message in taken} == {"expired"}


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


OWN = """
exchanges:
  by.topic: {type: topic, alternate: rest}
  by.key: {type: direct}
  by.header: {type: headers}
  rest: {type: fanout}
queues:
  orders: {}
  invoices: {type: classic}
  urgent: {max_length: 1}
  rest.one: {}
  rest.two: {ttl: 50ms, dead_letter: {exchange: rest, key: late}}
bindings:
  - {from: by.topic, to: orders, key: "order.#"}
  - {from: by.key, to: invoices, key: invoice}
  - {from: by.header, to: urgent, headers: {urgent: true, x-tenant: }}
  - {from: rest, to: rest.one}
  - {from: by.topic, to: events, key: "order.placed"}
"""


async def test_file_s_exchanges_route_by_their_type(amqp_url: str, bus: Bus) -> None:
    """Topic by pattern, direct by key, headers by headers, fanout always; what nobody takes goes to the alternate."""
    await _declared(amqp_url, _with_own(OWN))
    send = _Sender(bus.channel)
    await send("by.topic", "order.placed")
    await send("by.topic", "invoice.sent")
    await send("by.key", "invoice")
    await send("by.key", "invoice.sent")
    await send("by.header", "", headers={"urgent": True, "x-tenant": "t"})
    await send("by.header", "", headers={"urgent": True})
    await send("rest", "anything")
    queues = ("orders", "invoices", "urgent", "rest.one", INBOX)
    taken = await taken_from(bus.channel, queues, 6)
    assert sorted((queue, message.routing_key) for queue, message in taken) == [
        ("invoices", "invoice"),
        ("orders", "order.placed"),
        ("rest.one", "anything"),
        ("rest.one", "invoice.sent"),
        (INBOX, "order.placed"),
        ("urgent", ""),
    ]


async def test_file_s_queue_expires_what_waits_and_keeps_its_length(amqp_url: str, bus: Bus) -> None:
    """A time to live ends with the dead-letter exchange that was named; a length keeps the latest."""
    await _declared(amqp_url, _with_own(OWN))
    send = _Sender(bus.channel)
    await send("", "rest.two", body=b"late")
    [(_, message)] = await taken_from(bus.channel, ["rest.one"], 1)
    assert (message.body, message.routing_key) == (b"late", "late")
    for body in (b"1", b"2"):
        await send("", "urgent", body=body)
    [(_, message)] = await taken_from(bus.channel, ["urgent"], 1)
    assert message.body == b"2"


def _with_own(text: str) -> BridgeSettings:
    return BridgeSettings(topology=replace(load_topology(text, "topology.yaml"), partitions=1))


class _Sender:
    """Publishes to any exchange."""

    def __init__(self, channel: AbstractChannel) -> None:
        self._channel = channel

    async def __call__(self, to: str, key: str, body: bytes = b"", headers: HeadersType | None = None) -> None:
        default = self._channel.default_exchange
        exchange = await self._channel.get_exchange(to, ensure=False) if to else default
        message = aio_pika.Message(body, headers=headers, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await exchange.publish(message, key, mandatory=False)


@pytest.mark.parametrize(
    ("theirs", "told"),
    [
        (
            Queue(INBOX, {"x-queue-type": "classic"}),
            "queue saga.events: x-dead-letter-exchange is not set on the broker",
        ),
        (Queue(UNROUTED), "queue events.unrouted: x-max-length is not set on the broker, 100000 here"),
        (
            Queue(DEAD_LETTERS, {"x-queue-type": "quorum", "x-message-ttl": 5, "x-delivery-limit": 1_000_000}),
            "queue saga.dead-letters: x-message-ttl is 5 on the broker, 604800000 here",
        ),
        (Exchange("saga.low", "fanout"), "exchange saga.low: type is fanout on the broker, headers here"),
        (Exchange("events", "fanout"), "exchange events: type is fanout on the broker, topic here"),
        (Exchange("dlx", "topic", durable=False), "exchange dlx: durable is false on the broker, true here"),
    ],
)
async def test_difference_is_told_with_both_values(theirs: Queue | Exchange, told: str, amqp_url: str) -> None:
    """What exists with other properties is refused at once, naming it, the argument and both values."""
    there = Declarations((theirs,)) if isinstance(theirs, Exchange) else Declarations(queues=(theirs,))
    async with connected(amqp_url, "tests") as connection:
        await declare(connection, there)
        with pytest.raises(TopologyMismatchError) as caught:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await declare_queues(connection, SETTINGS)
    assert told in str(caught.value)


@pytest.mark.parametrize("argument", ["x-dead-letter-strategy", "x-overflow", "x-dead-letter-exchange"])
async def test_queue_that_could_lose_dead_letters_is_refused(argument: str, amqp_url: str) -> None:
    """At least once needs three arguments together; the one that is missing is named, and what it would mean."""
    whole: dict[str, Argument] = {
        "x-queue-type": "quorum",
        "x-single-active-consumer": True,
        "x-dead-letter-exchange": "dlx",
        "x-dead-letter-routing-key": "dlx.saga.high.1",
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
        "x-delivery-limit": 1_000_000,
    }
    missing = {argument, *(["x-dead-letter-routing-key"] if argument == "x-dead-letter-exchange" else [])}
    theirs = Queue("saga.high.1", {name: value for name, value in whole.items() if name not in missing})
    async with connected(amqp_url, "tests") as connection:
        await declare(connection, Declarations(queues=(theirs,)))
        with pytest.raises(TopologyMismatchError, match=f"queue saga.high.1: {argument} is not set.*could get lost"):
            await declare_queues(connection, SETTINGS)


async def test_fewer_partitions_than_the_broker_has_are_refused(amqp_url: str) -> None:
    """Nobody would read the queues that are left over; more partitions are fine."""
    await _declared(amqp_url, BridgeSettings(topology=Topology(partitions=2)))
    await _declared(amqp_url, BridgeSettings(topology=Topology(partitions=3)))
    with pytest.raises(TopologyMismatchError, match=r"queue saga\.high\.2: the broker has more"):
        await _declared(amqp_url, BridgeSettings(topology=Topology(partitions=2)))


async def test_binding_to_what_is_not_there_is_no_success(amqp_url: str) -> None:
    """Declaring only a binding is refused with the missing queue."""
    async with connected(amqp_url, "tests") as connection:
        await declare(connection, Declarations((Exchange("e", "fanout"),)))
        with pytest.raises(Exception, match="no queue 'q'"):
            await declare(connection, Declarations(bindings=(Binding("e", "q"),)))


async def test_user_without_permission_is_told(rabbitmq_node: Broker, amqp_url: str) -> None:
    """The broker's words say what the user may not do."""
    vhost = amqp_url.rsplit("/", 1)[1]
    await rabbitmq_node.control("add_user", f"reader-{vhost}", "secret")
    await rabbitmq_node.control("set_permissions", "-p", vhost, f"reader-{vhost}", "^$", "^$", ".*")
    url = amqp_url.replace("guest:guest", f"reader-{vhost}:secret")
    async with connected(url, "tests") as connection:
        with pytest.raises(BrokerRefusedError, match="access to"):
            await declare_bus(connection)


def test_address_tells_where_without_the_password() -> None:
    """Host, port and virtual host; defaults are filled in."""
    assert address("amqp://user:secret@broker:5673/orders") == "broker:5673/orders"
    assert address("amqps://broker/") == "broker:5671"
    assert address("amqp://user:secret@[::1]") == "::1:5672"

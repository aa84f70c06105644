"""The layout: what is ours on the broker, and that no part of it may lose a dead letter."""

from __future__ import annotations

import zlib
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.topology.layout import bus, direct_headers, layout, partitions
from bridge.topology.model import Declarations, Topology
from bridge.topology.names import INBOX, INLET, RETRY_DELAYS, partition_queue, retry_exchange

WEEK = timedelta(days=7)


def _layout(topology: Topology | None = None, bindings: tuple[str, ...] = ("#",)) -> Declarations:
    return layout(topology or Topology(), bindings, WEEK)


def test_layout_has_a_queue_for_each_partition_of_each_class() -> None:
    """Three classes by the number of partitions, the most urgent first; each is bound by its number."""
    names = partitions(Topology(partitions=2))
    assert names == ("saga.high.0", "saga.high.1", "saga.normal.0", "saga.normal.1", "saga.low.0", "saga.low.1")
    declared = _layout(Topology(partitions=2))
    assert set(names) <= {queue.name for queue in declared.queues}
    shares = [(each.source, each.arguments["x-partition"]) for each in declared.bindings if each.destination in names]
    assert shares == [(f"saga.{name}", number) for name in ("high", "normal", "low") for number in ("0", "1")]


def test_nothing_flows_before_all_that_is_behind_it_is_bound() -> None:
    """Bindings stand in the order in which they are declared: what leads to an exchange after what leads on from it."""
    bindings = [each for each in _layout().bindings if each.kind == "exchange"]
    for place, binding in enumerate(bindings):
        assert not [each for each in bindings[place:] if each.source == binding.destination]


@given(st.text(min_size=1), st.integers(1, 64))
def test_direct_headers_name_a_partition_that_there_is(key: str, partitions: int) -> None:
    """The CRC-32 of the key, by which a producer in any language can compute it, modulo the partitions."""
    headers = direct_headers(key, "low", Topology(partitions=partitions))
    assert headers == {
        "x-group-id": key,
        "x-priority-class": "low",
        "x-partition": str(zlib.crc32(key.encode()) % partitions),
    }


def test_names_are_declared_once() -> None:
    """No exchange, queue or binding stands there twice."""
    declared = _layout()
    assert Counter(exchange.name for exchange in declared.exchanges).most_common(1)[0][1] == 1
    assert Counter(queue.name for queue in declared.queues).most_common(1)[0][1] == 1
    assert Counter((each.source, each.destination, each.routing_key) for each in declared.bindings).total() == len(
        declared.bindings
    )


def test_queues_of_events_keep_order_and_dead_letters() -> None:
    """Inbox and partitions have one active consumer, and all three things that at-least-once needs."""
    declared = {queue.name: queue.arguments for queue in _layout().queues}
    for name in (INBOX, *partitions(Topology())):
        assert declared[name] == {
            "x-queue-type": "quorum",
            "x-single-active-consumer": True,
            "x-dead-letter-exchange": "dlx",
            "x-dead-letter-routing-key": f"dlx.{name}",
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
            "x-delivery-limit": 1_000_000,
        }


def test_message_ttl_is_put_on_every_queue_of_events() -> None:
    """Inbox and partitions get it, in milliseconds; delay queues and dead letters keep their own."""
    declared = {queue.name: queue.arguments for queue in _layout(Topology(message_ttl=timedelta(minutes=1))).queues}
    assert {declared[name]["x-message-ttl"] for name in (INBOX, *partitions(Topology()))} == {60_000}
    assert declared["saga.dead-letters"]["x-message-ttl"] == WEEK.total_seconds() * 1000


def test_delay_queues_send_back_by_the_routing_key() -> None:
    """Each level is an exchange and a queue; without a routing key for dead letters a message keeps its own."""
    declared = {queue.name: queue.arguments for queue in _layout().queues}
    for level, delay in enumerate(RETRY_DELAYS):
        arguments = declared[retry_exchange(level)]
        assert arguments["x-message-ttl"] == delay.total_seconds() * 1000
        assert (arguments["x-dead-letter-exchange"], arguments["x-dead-letter-strategy"]) == ("", "at-least-once")
        assert "x-dead-letter-routing-key" not in arguments


@pytest.mark.parametrize(("level", "name"), [(0, "saga.retry.1s"), (4, "saga.retry.10m"), (9, "saga.retry.10m")])
def test_retry_level_behind_the_last_is_the_last(level: int, name: str) -> None:
    """Delays grow to ten minutes and stay there."""
    assert retry_exchange(level) == name


def test_bindings_say_what_the_bridge_takes() -> None:
    """Each pattern binds the inlet to `events`."""
    bound = [
        each.routing_key for each in _layout(bindings=("order.*", "invoice.#")).bindings if each.destination == INLET
    ]
    assert bound == ["order.*", "invoice.#"]


def test_bus_leaves_the_shared_exchange_plain() -> None:
    """Producers declare `events` themselves, as a durable topic exchange without arguments."""
    events = next(each for each in (*bus().exchanges, *_layout().exchanges) if each.name == "events")
    assert (events.type, events.durable, dict(events.arguments)) == ("topic", True, {})


def test_partition_queue_is_named_by_class_and_number() -> None:
    """The name that operators see."""
    assert partition_queue("high", 3) == "saga.high.3"

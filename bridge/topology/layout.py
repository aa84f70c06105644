"""What is ours on the broker: `bus` for publishing, `layout` for consuming as well.

An event's way: `events` gives all to `saga.inlet`. What carries a group id, a class and a partition goes directly to
that partition of that class. All else, and what there is no queue for, goes by the alternate exchange to the inbox,
where the bridge finds all three and lets it in again.

Which way an event goes depends on its headers alone, and which queue a key has on the key alone. Were either up to the
state of the broker, as with a hash over what is bound at the moment, or with a direct way that is opened and closed,
then while that state changes the next event of a key could overtake the one before it.

Each queue that holds events dead-letters at least once: that needs the strategy, `reject-publish` and a dead-letter
exchange together, else RabbitMQ silently makes it at most once. It has a single active consumer, which is what keeps
order. The broker's delivery limit is out of reach, because since RabbitMQ 4 its default would put events aside
without a reason; the bridge counts by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from bridge.topology.model import Argument, Arguments, Binding, Declarations, Exchange, Queue, Topology
from bridge.topology.names import (
    CLASS_HEADER,
    DEAD_LETTERS,
    EVENTS,
    EXCHANGE_DEAD_LETTERS,
    GROUP_HEADER,
    INBOX,
    INLET,
    PARTITION_HEADER,
    PRIORITY_HEADER,
    RETRY_DELAYS,
    UNROUTED,
    UNSORTED,
    class_exchange,
    dead_letter_key,
    partition_queue,
    retry_exchange,
)

_MAX_UNROUTED = 100_000
_NO_DELIVERY_LIMIT = 1_000_000
# A headers exchange looks at headers that begin with `x-` only when it is told to.
_ALL: Arguments = {"x-match": "all-with-x"}
_TO_UNSORTED: Arguments = {"alternate-exchange": UNSORTED}
_QUORUM: Arguments = {"x-queue-type": "quorum"}
_AT_LEAST_ONCE: Arguments = {"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}


def bus() -> Declarations:
    """Return what publishing needs: `events`, and the exchange and bounded queue for events that nobody takes."""
    kept = {**_QUORUM, "x-max-length": _MAX_UNROUTED, "x-overflow": "drop-head"}
    return Declarations(
        exchanges=(Exchange(EVENTS, "topic"), Exchange(UNROUTED, "fanout")),
        queues=(Queue(UNROUTED, kept),),
        bindings=(Binding(UNROUTED, UNROUTED),),
    )


def layout(topology: Topology, bindings: Iterable[str], dead_letter_retention: timedelta) -> Declarations:
    """Return all that is ours.

    Args:
        topology: Partitions, classes and the time that an event may wait.
        bindings: Topic patterns of the events that the bridge takes from `events`.
        dead_letter_retention: How long a dead letter waits to be collected.
    """
    wanted = tuple(Binding(EVENTS, INLET, "exchange", pattern) for pattern in bindings)
    parts = (
        bus(),
        _dead_letters(dead_letter_retention),
        _inbox(topology),
        *(_class(each.name, topology) for each in topology.classes),
        *(_retry(level) for level in range(len(RETRY_DELAYS))),
        Declarations(bindings=wanted),
    )
    return sum(parts, start=Declarations())


def direct_headers(key: str, priority_class: str, topology: Topology) -> dict[str, str]:
    """Return the headers by which the broker routes an event with this key directly to its partition."""
    return {
        GROUP_HEADER: key,
        CLASS_HEADER: priority_class,
        PARTITION_HEADER: str(topology.partition_of(key)),
    }


def priority_headers(priority: int, priority_class: str, topology: Topology) -> dict[str, int]:
    """Return the header that keeps a priority where the message's own becomes the one that its class shares."""
    return {} if priority == topology.shared_priority(priority_class) else {PRIORITY_HEADER: priority}


def partitions(topology: Topology) -> tuple[str, ...]:
    """Return the partition queues of all classes, the most urgent class first."""
    return tuple(partition_queue(each.name, n) for each in topology.classes for n in range(topology.partitions))


def _dead_letters(retention: timedelta) -> Declarations:
    arguments = {**_QUORUM, "x-message-ttl": _milliseconds(retention), "x-delivery-limit": _NO_DELIVERY_LIMIT}
    return Declarations(
        exchanges=(Exchange(EXCHANGE_DEAD_LETTERS, "topic"),),
        queues=(Queue(DEAD_LETTERS, arguments),),
        # Not of our queues alone: the exchange is shared, and what nobody else takes from it would vanish.
        bindings=(Binding(EXCHANGE_DEAD_LETTERS, DEAD_LETTERS, routing_key=dead_letter_key("#")),),
    )


def _inbox(topology: Topology) -> Declarations:
    return Declarations(
        exchanges=(Exchange(UNSORTED, "fanout"), Exchange(INLET, "headers", _TO_UNSORTED)),
        queues=(_events(INBOX, topology),),
        bindings=(Binding(UNSORTED, INBOX),),
    )


def _class(name: str, topology: Topology) -> Declarations:
    exchange = class_exchange(name)
    queues = {number: partition_queue(name, number) for number in range(topology.partitions)}
    shares = (
        Binding(exchange, queue, arguments={**_ALL, PARTITION_HEADER: str(number)}) for number, queue in queues.items()
    )
    entrance = Binding(INLET, exchange, "exchange", arguments={**_ALL, GROUP_HEADER: None, CLASS_HEADER: name})
    return Declarations(
        exchanges=(Exchange(exchange, "headers", _TO_UNSORTED),),
        queues=tuple(_events(queue, topology) for queue in queues.values()),
        bindings=(*shares, entrance),
    )


def _events(name: str, topology: Topology) -> Queue:
    arguments: dict[str, Argument] = {
        **_QUORUM,
        **_AT_LEAST_ONCE,
        "x-single-active-consumer": True,
        "x-dead-letter-exchange": EXCHANGE_DEAD_LETTERS,
        "x-dead-letter-routing-key": dead_letter_key(name),
        "x-delivery-limit": _NO_DELIVERY_LIMIT,
    }
    if topology.message_ttl is not None:
        arguments["x-message-ttl"] = _milliseconds(topology.message_ttl)
    return Queue(name, arguments)


def _retry(level: int) -> Declarations:
    """Without a dead-letter routing key a message keeps its own, by which the default exchange finds its queue."""
    name = retry_exchange(level)
    delay = _milliseconds(RETRY_DELAYS[level])
    arguments = {**_QUORUM, **_AT_LEAST_ONCE, "x-dead-letter-exchange": "", "x-message-ttl": delay}
    return Declarations((Exchange(name, "fanout"),), (Queue(name, arguments),), (Binding(name, name),))


def _milliseconds(duration: timedelta) -> int:
    return int(duration.total_seconds() * 1000)

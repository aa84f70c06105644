"""What a broker can hold, as data: exchanges, queues, bindings, and what the operator says about ordering and classes.

Frozen and free of any client library, so that what ought to be there can be computed, compared and shown without a
broker. Arguments are kept in the spelling of AMQP (`x-message-ttl`), because that is what the broker compares and
what its refusals name. `None` is AMQP's void, which a headers exchange takes as "the header is there".
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Literal

from workflows.language.expressions.template import Template

Argument = str | int | float | bool | None
Arguments = Mapping[str, Argument]
Kind = Literal["queue", "exchange"]


@dataclass(frozen=True, slots=True)
class Exchange:
    """An exchange; `type` is `topic`, `direct`, `fanout`, `headers` or that of a plugin."""

    name: str
    type: str
    arguments: Arguments = field(default_factory=dict)
    durable: bool = True


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue; its own type stands in the argument `x-queue-type`."""

    name: str
    arguments: Arguments = field(default_factory=dict)
    durable: bool = True


@dataclass(frozen=True, slots=True)
class Binding:
    """What `source` gives to `destination`, a queue or another exchange."""

    source: str
    destination: str
    kind: Kind = "queue"
    routing_key: str = ""
    arguments: Arguments = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Declarations:
    """What is to be on the broker, in the order in which it is declared."""

    exchanges: tuple[Exchange, ...] = ()
    queues: tuple[Queue, ...] = ()
    bindings: tuple[Binding, ...] = ()

    def __add__(self, other: Declarations) -> Declarations:
        """Return both, ours first."""
        return Declarations(
            self.exchanges + other.exchanges, self.queues + other.queues, self.bindings + other.bindings
        )


@dataclass(frozen=True, slots=True)
class PriorityClass:
    """Events of AMQP priority `lowest` and above, up to the next class; of the slots it gets `weight` parts."""

    name: str
    lowest: int
    weight: int


@dataclass(frozen=True, slots=True)
class GroupRule:
    """Events whose type matches the topic pattern `event` are kept in order by what `key` gives; it sees `event`."""

    event: str
    key: Template


@dataclass(frozen=True, slots=True)
class PlainRule:
    """Messages that may be plain JSON payloads.

    Attributes:
        key: Topic pattern of their routing keys.
        exchange: The exchange that they are published to; empty = any.
        id: What the event's id is: the `message` id, without which it is refused, or made of the `content` alone.
    """

    key: str
    exchange: str = ""
    id: Literal["message", "content"] = "message"


HIGH: Final = "high"
NORMAL: Final = "normal"
LOW: Final = "low"
CLASSES: Final = (HIGH, NORMAL, LOW)
"""Their names, the most urgent first; they are part of the names on the broker."""

MAX_PARTITIONS: Final = 64
MAX_PRIORITY: Final = 9
_DEFAULT = (PriorityClass(HIGH, 7, 6), PriorityClass(NORMAL, 4, 3), PriorityClass(LOW, 0, 1))


@dataclass(frozen=True, slots=True)
class Topology:
    """What the operator's file says; without one, these defaults.

    Attributes:
        partitions: Queues of each class, 1 to 64: how many events of different keys can be shared out.
        classes: Priority classes, the most urgent first; the last begins at 0.
        ordering: For events without a group id of their own; the first rule that matches counts.
        plain: Whose messages may be payloads without an envelope; the first rule that fits counts.
        message_ttl: How long an event may wait in a queue of ours before it is dead-lettered; None = for ever.
        own: What else the operator wants on the broker.
    """

    partitions: int = 8
    classes: tuple[PriorityClass, ...] = _DEFAULT
    ordering: tuple[GroupRule, ...] = ()
    plain: tuple[PlainRule, ...] = ()
    message_ttl: timedelta | None = None
    own: Declarations = field(default_factory=Declarations)

    def class_of(self, priority: int) -> str:
        """Return the name of the class of an AMQP priority; one that is out of range counts as the nearest."""
        bounded = max(0, priority)
        return next((each.name for each in self.classes if bounded >= each.lowest), self.classes[-1].name)

    def shared_priority(self, priority_class: str) -> int:
        """Return the AMQP priority that all messages of a class are given: its lowest.

        Since RabbitMQ 4 a quorum queue gives out higher priorities first, so with two of them in one queue a later
        event could overtake an earlier one of its key.
        """
        return next((each.lowest for each in self.classes if each.name == priority_class), 0)

    def partition_of(self, key: str) -> int:
        """Return the partition of a key, counted from 0: the CRC-32 of its UTF-8, modulo the number of partitions.

        Everybody can compute it, and nothing else counts, so a key keeps its queue whatever becomes of the broker.
        """
        return zlib.crc32(key.encode()) % self.partitions

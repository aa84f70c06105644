"""One message in hand: what came from the broker, and nothing decided about it yet.

A message that was sorted or delayed by us carries in headers where and when it first came; what is asked of a
delivery is always about that first time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aio_pika.abc import AbstractIncomingMessage

from bridge.amqp.tolerance import UNREADABLE
from bridge.envelope import Properties
from bridge.topology.names import ATTEMPTS_HEADER, CLASS_HEADER, GROUP_HEADER, PRIORITY_HEADER
from contracts.ports import Lease

ROUTING_KEY: Final = "x-saga-routing-key"
EXCHANGE: Final = "x-saga-exchange"
FIRST: Final = "x-saga-first-at"
EXPIRES: Final = "x-saga-expires-at"
SORTED: Final = "x-saga-sorted"
DROPPED: Final = "x-saga-dropped-headers"
"""Names the headers that a copy of the message could not keep, some of them where there are many."""
MAX_DROPPED_NAMES: Final = 50
OWN_GROUP: Final = "x-saga-group-id"
"""Where a sorted copy keeps the producer's own `x-group-id`, which its queue's key has taken the place of."""

_NOT_COPIED = "it was too large for a copy of the message, or could not be written"
_HIGHEST_PRIORITY = 9
_LONGEST_KEY_BYTES = 255
_MOST = 1_000_000
_LONGEST_SECONDS = 10 * 365 * 86_400
_LAST_TEMPORAL_PRIORITY = 5


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that has not been acknowledged.

    Attributes:
        message: The message; only `amqp/acknowledge.py` answers it.
        queue: The queue that it came from.
        received: When it came into hand.
        earlier: How often it was delivered before without an answer, as the quorum queue counts.
        lease: Tells for how long it is ours; asked before each request, copy and mark that is made because of it.
    """

    message: AbstractIncomingMessage
    queue: str
    received: datetime
    earlier: int
    lease: Lease

    @classmethod
    def of(cls, message: AbstractIncomingMessage, queue: str, lease: Lease) -> Delivery:
        """Take a message into hand now."""
        # RabbitMQ 4 hands on a count that the producer has sent, until it has one of its own to tell.
        earlier = _number(message.headers.get("x-delivery-count")) if message.redelivered else 0
        return cls(message, queue, datetime.now(UTC), earlier, lease)

    @property
    def body(self) -> bytes:
        """The message's bytes."""
        return self.message.body

    @property
    def routing_key(self) -> str:
        """The key that its producer published it with."""
        given = _text(self.headers.get(ROUTING_KEY))
        return given if given and len(given.encode()) <= _LONGEST_KEY_BYTES else self.message.routing_key or ""

    @property
    def exchange(self) -> str:
        """The exchange that its producer published it to."""
        return _text(self.headers.get(EXCHANGE)) or self.message.exchange or ""

    @property
    def first_received(self) -> datetime:
        """When the bridge first had it in hand."""
        return _moment(self.headers.get(FIRST)) or self.received

    @property
    def expires_at(self) -> datetime | None:
        """The end of its time by its AMQP expiration, counted from when it first came into hand."""
        lasts = self.message.expiration
        if isinstance(lasts, int | float) and 0 <= lasts <= _LONGEST_SECONDS:
            return self.received + timedelta(seconds=lasts)
        return _moment(self.headers.get(EXPIRES))

    @property
    def headers(self) -> Mapping[str, Any]:
        """The headers that its publisher or the broker gave it."""
        return self.message.headers

    @property
    def attempts(self) -> int:
        """How often it was tried before and failed for an unclear reason."""
        return _number(self.headers.get(ATTEMPTS_HEADER))

    @property
    def group(self) -> str | None:
        """The key by which it has its queue."""
        return _text(self.headers.get(GROUP_HEADER))

    @property
    def priority_class(self) -> str | None:
        """The class in whose queue it belongs."""
        return _text(self.headers.get(CLASS_HEADER))

    @property
    def properties(self) -> Properties:
        """What can stand in for members of the envelope."""
        message = self.message
        return Properties(
            _text(message.message_id),
            message.timestamp,
            _text(message.correlation_id),
            headers=as_said(self.headers),
            content_type=_text(message.content_type),
            received=self.first_received,
            unreadable=unreadable_of(self.headers),
        )

    @property
    def priority(self) -> int:
        """The event's AMQP priority, 0 (lowest) to 9; out of range counts as none.

        The message's own may be the one that all of its class share; a header then has the event's.
        """
        told = self.headers.get(PRIORITY_HEADER)
        wish = _number(told) if isinstance(told, int) else self.message.priority or 0
        return wish if 0 <= wish <= _HIGHEST_PRIORITY else 0

    @property
    def run_priority(self) -> int | None:
        """Temporal's priority (1 = first to 5) for the message's (9 = first to 0); None where it has none.

        aio-pika reads a missing priority as 0, which is also the bus's lowest: both mean "no wish".
        """
        return _LAST_TEMPORAL_PRIORITY - self.priority // 2 if self.priority > 0 else None


def as_said(headers: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the headers as the producer sent them: a key that sorting gave is not the producer's."""
    if SORTED not in headers:
        return headers
    return {**headers, GROUP_HEADER: headers.get(OWN_GROUP)}


def unreadable_of(headers: Mapping[str, Any]) -> Mapping[str, str]:
    """Return what of the message cannot be read, or was lost by a copy of it; see `Properties.unreadable`."""
    told, dropped = headers.get(UNREADABLE), headers.get(DROPPED)
    found = {str(name): str(why) for name, why in told.items()} if isinstance(told, Mapping) else {}
    names = dropped if isinstance(dropped, list) else []
    found |= {f"header {name}": _NOT_COPIED for name in names}
    return found | {"headers": _NOT_COPIED} if len(names) >= MAX_DROPPED_NAMES else found


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(_text(value) or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        return 0
    return min(max(value, 0), _MOST)

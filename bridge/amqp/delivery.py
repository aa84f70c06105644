"""One message in hand: what came from the broker, and nothing decided about it yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aio_pika.abc import AbstractIncomingMessage

from bridge.envelope import Properties

_LOWEST_AMQP_PRIORITY, _HIGHEST_AMQP_PRIORITY = 0, 9
_LAST_TEMPORAL_PRIORITY = 5


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that has not been acknowledged.

    Attributes:
        message: The message; only `amqp/acknowledge.py` answers it.
        received: When it came into hand.
        earlier: How often it was delivered before without an answer, as the quorum queue counts.
    """

    message: AbstractIncomingMessage
    received: datetime
    earlier: int

    @classmethod
    def of(cls, message: AbstractIncomingMessage) -> Delivery:
        """Take a message into hand now."""
        earlier = message.headers.get("x-delivery-count", 0)
        return cls(message, datetime.now(UTC), earlier if isinstance(earlier, int) else 0)

    @property
    def body(self) -> bytes:
        """The message's bytes."""
        return self.message.body

    @property
    def routing_key(self) -> str:
        """The key that it was published with."""
        return self.message.routing_key or ""

    @property
    def headers(self) -> Mapping[str, Any]:
        """The headers that its publisher or the broker gave it."""
        return self.message.headers

    @property
    def properties(self) -> Properties:
        """What can stand in for members of the envelope."""
        message = self.message
        return Properties(_text(message.message_id), message.timestamp, _text(message.correlation_id))

    @property
    def priority(self) -> int | None:
        """Temporal's priority (1 = first to 5) for the message's (9 = first to 0); None where it has none.

        aio-pika reads a missing priority as 0, which is also the bus's lowest: both mean "no wish".
        """
        wish = self.message.priority or 0
        if not _LOWEST_AMQP_PRIORITY < wish <= _HIGHEST_AMQP_PRIORITY:
            return None
        return _LAST_TEMPORAL_PRIORITY - wish // 2


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None

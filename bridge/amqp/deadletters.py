"""Put what can never succeed aside, with the reason, so that somebody can look at it and replay it.

The broker's own dead-lettering cannot say why. So a copy with our headers is published to the dead-letter exchange
and confirmed before the original is acknowledged: at-least-once, like the broker's. One at a time: two copies with
one message id in flight on a channel could hang.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractExchange

from bridge.amqp.confirms import publish_confirmed
from bridge.amqp.delivery import Delivery
from bridge.outcomes import Refused

REASON: Final = "x-saga-reason"
CODE: Final = "x-saga-code"
ATTEMPTS: Final = "x-saga-attempts"
ROUTING_KEY: Final = "x-saga-routing-key"
EXCHANGE: Final = "x-saga-exchange"
FIRST: Final = "x-saga-first-at"
LAST: Final = "x-saga-last-at"

_MAX_REASON = 2_000
_MAX_HEADERS = 32_768


class DeadLetters:
    """Publishes dead letters of one queue, on a channel with confirms."""

    def __init__(self, exchange: AbstractExchange, routing_key: str, limit: timedelta) -> None:
        """Publish to `exchange`; `limit` is how long a confirm may take."""
        self._exchange, self._routing_key, self._limit = exchange, routing_key, limit
        self._one_at_a_time = asyncio.Lock()

    async def put(self, delivery: Delivery, refused: Refused, attempts: int) -> None:
        """Store a copy of the message with the reason; errors as for `publish_confirmed`."""
        message = _copy(delivery, refused, attempts)
        async with self._one_at_a_time:
            await publish_confirmed(self._exchange, message, self._routing_key, self._limit)


def _copy(delivery: Delivery, refused: Refused, attempts: int) -> Message:
    original = delivery.message
    return Message(
        delivery.body,
        headers=_own_headers(delivery) | _our_headers(delivery, refused, attempts),
        content_type=original.content_type,
        content_encoding=original.content_encoding,
        delivery_mode=DeliveryMode.PERSISTENT,
        priority=original.priority,
        correlation_id=original.correlation_id,
        message_id=original.message_id,
        timestamp=original.timestamp,
        type=original.type,
        app_id=original.app_id,
    )


def _own_headers(delivery: Delivery) -> dict[str, Any]:
    """The message's own headers, unless they and ours might not fit into one frame."""
    headers = dict(delivery.headers)
    headers.pop("x-delivery-count", None)
    return headers if len(str(headers)) <= _MAX_HEADERS else {}


def _our_headers(delivery: Delivery, refused: Refused, attempts: int) -> dict[str, Any]:
    first = delivery.headers.get(FIRST)
    return {
        REASON: refused.reason[:_MAX_REASON],
        CODE: refused.code,
        ATTEMPTS: delivery.earlier + attempts,
        ROUTING_KEY: delivery.routing_key,
        EXCHANGE: delivery.message.exchange or "",
        FIRST: first if isinstance(first, str) else delivery.received.isoformat(),
        LAST: datetime.now(UTC).isoformat(),
    }

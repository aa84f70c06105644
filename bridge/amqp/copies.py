"""A message published on: the same body and properties, and headers of ours beside its own.

A producer may have sent headers that the client library can read but not write, or so many that with ours they no
longer fit into a frame, for which the broker would cut the whole connection. They are dropped then: nothing that
a producer sends may keep its message from being put somewhere.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Final

from aio_pika import DeliveryMode, Message
from pamqp import encode

from bridge.amqp.delivery import EXCHANGE, FIRST, ROUTING_KEY, Delivery

_MAX_HEADER_BYTES = 65_536
"""Half a frame; the properties and our own headers need a fifth of one at most."""

_OF_THE_BROKER = (
    "x-delivery-count",
    "x-death",
    "x-first-death-exchange",
    "x-first-death-queue",
    "x-first-death-reason",
)
UNWRITABLE: Final = (TypeError, ValueError, OverflowError, RecursionError, struct.error)
"""What the client library raises for what it cannot write."""


def copy_of(delivery: Delivery, headers: Mapping[str, Any]) -> Message:
    """Return a persistent copy, with these headers and those that say where and when it first came."""
    original = delivery.message
    return Message(
        delivery.body,
        headers=_own_headers(delivery) | _origin(delivery) | dict(headers),
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
    headers = {name: value for name, value in delivery.headers.items() if name not in _OF_THE_BROKER}
    try:
        size = len(encode.field_table(headers))
    except UNWRITABLE:
        return {}
    return headers if size <= _MAX_HEADER_BYTES else {}


def _origin(delivery: Delivery) -> dict[str, Any]:
    return {
        ROUTING_KEY: delivery.routing_key,
        EXCHANGE: delivery.exchange,
        FIRST: delivery.first_received.isoformat(),
    }

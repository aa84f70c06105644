"""A message published on: the same body and properties, and headers of ours beside its own.

A producer may have sent headers that the client library can read but not write, or so many that with ours they no
longer fit into a frame, for which the broker would cut the whole connection. Those are left out, each for itself, and
a header of ours names them: nothing that a producer sends may keep its message from being put somewhere, nor cost it
what can be kept. Bytes are written as AMQP's byte arrays, which the library reads as bytes again.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Final

from aio_pika import DeliveryMode, Message
from pamqp import encode

from bridge.amqp.delivery import DROPPED, EXCHANGE, FIRST, MAX_DROPPED_NAMES, ROUTING_KEY, Delivery

_MAX_HEADER_BYTES = 65_536
"""Half a frame; the properties and our own headers need a fifth of one at most."""

_MAX_NAME_BYTES = 128
"""AMQP's limit, at which the library would cut a name, and so make another header of it."""

_OF_THE_BROKER = (
    "x-delivery-count",
    "x-death",
    "x-first-death-exchange",
    "x-first-death-queue",
    "x-first-death-reason",
    "x-last-death-exchange",
    "x-last-death-queue",
    "x-last-death-reason",
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
    own = {name: value for name, value in delivery.headers.items() if name not in _OF_THE_BROKER}
    sizes = {name: _size(name, value) for name, value in own.items()}
    kept = {name: size for name, size in sizes.items() if size is not None}
    total = sum(kept.values())
    for name in sorted(kept, key=lambda name: kept[name], reverse=True):
        if total <= _MAX_HEADER_BYTES:
            break
        total -= kept.pop(name)
    headers = {name: _writable(own[name]) for name in kept}
    dropped = [name for name in own if name not in kept]
    return headers | {DROPPED: _named(own.get(DROPPED), dropped)} if dropped else headers


def _writable(value: object) -> Any:
    match value:
        case bytes():
            return bytearray(value)
        case list():
            return [_writable(item) for item in value]
        case dict():
            return {name: _writable(item) for name, item in value.items()}
    return value


def _size(name: str, value: object) -> int | None:
    """Return the bytes that a header takes; None for one that cannot be written as it is."""
    try:
        _refuse_long_names({name: value})
        return len(encode.field_table({name: _writable(value)}))
    except UNWRITABLE:
        return None


def _refuse_long_names(value: object) -> None:
    match value:
        case list():
            for item in value:
                _refuse_long_names(item)
        case dict():
            for name, item in value.items():
                if len(name.encode()) > _MAX_NAME_BYTES:
                    raise ValueError(f"a name of more than {_MAX_NAME_BYTES} bytes")
                _refuse_long_names(item)


def _named(before: object, dropped: list[str]) -> list[str]:
    """Return the names of all that was left out, also by the copies before this one."""
    earlier = [name for name in before if isinstance(name, str)] if isinstance(before, list) else []
    short = [name.encode()[:_MAX_NAME_BYTES].decode(errors="ignore") for name in [*earlier, *dropped]]
    return list(dict.fromkeys(name for name in short if name != DROPPED))[:MAX_DROPPED_NAMES]


def _origin(delivery: Delivery) -> dict[str, Any]:
    return {
        ROUTING_KEY: delivery.routing_key,
        EXCHANGE: delivery.exchange,
        FIRST: delivery.first_received.isoformat(),
    }

"""An event as the message that carries it: body, properties, headers. Pure, apart from refusing what does not fit.

What an AMQP property cannot hold is left to the body, which has it in full. Headers that say where the event belongs,
the group, its partition and its class of priority, go together: with all of them it is routed directly to its queue;
without them the bridge sorts it by what the event says. All messages of a class have one AMQP priority, so that the
broker does not reorder them; a header has the event's own where it is another.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from aio_pika import DeliveryMode, Message

from bridge.encoding import Encoded, Form, encode
from bridge.envelope import Properties, decode
from bridge.errors import EventTooLargeError
from bridge.topology.layout import direct_headers, priority_headers
from bridge.topology.model import Topology
from bridge.topology.names import GROUP_HEADER
from contracts.envelope import Event
from contracts.ports import UnfitEventError

MAX_GROUP_BYTES: Final = 1000
"""What the bridge keeps of a key; longer ones are left to it, so that one key has one header."""

_SHORT_BYTES = 255
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def message_of(event: Event, priority: int, topology: Topology, form: Form = "saga") -> Message:
    """Return the message that carries `event`.

    Raises:
        EventTooLargeError: The bridge would not take it.
        UnfitEventError: It cannot be written as JSON.
    """
    encoded = _encoded(event, form)
    if _short(event.id) is None or _short(event.type) is None:
        raise EventTooLargeError(f"Its id and type must have 1 to {_SHORT_BYTES} bytes: {event.type[:80]}.")
    return Message(
        encoded.body,
        headers=_headers(encoded, priority, topology),
        content_type=encoded.content_type,
        delivery_mode=DeliveryMode.PERSISTENT,
        priority=topology.shared_priority(topology.class_of(priority)),
        correlation_id=_short(event.correlation_id),
        message_id=event.id,
        timestamp=event.time if event.time >= _EPOCH else None,  # AMQP has none before; the body has it
        type=event.type,
        app_id=_short(event.source),
    )


def check_readable(event: Event) -> None:
    """Refuse an event that the bridge itself would refuse: better where it is made than as a dead letter.

    Raises:
        EventTooLargeError: It is too large.
        UnfitEventError: It cannot be written as JSON.
        MalformedEventError: It could not be read again, for instance because it is nested too deeply.
    """
    encoded = _encoded(event, "saga")
    decode(encoded.body, Properties(headers=encoded.headers, content_type=encoded.content_type))


def _encoded(event: Event, form: Form) -> Encoded:
    try:
        return encode(event, form)
    except (TypeError, ValueError, RecursionError) as error:
        raise UnfitEventError(f"{event.type[:80]}: {error}") from error


def _headers(encoded: Encoded, priority: int, topology: Topology) -> dict[str, Any]:
    priority_class = topology.class_of(priority)
    headers: dict[str, Any] = {**encoded.headers, **priority_headers(priority, priority_class, topology)}
    group = headers.get(GROUP_HEADER)
    if isinstance(group, str) and len(group.encode()) <= MAX_GROUP_BYTES:
        headers |= direct_headers(group, priority_class, topology)
    return headers


def _short(text: str) -> str | None:
    """AMQP properties hold at most 255 bytes; the body has the text in full."""
    return text if 0 < len(text.encode()) <= _SHORT_BYTES else None

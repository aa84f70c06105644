"""Read a message of the dead-letter queue, and make it an event again.

A letter says why it is one in one of three ways: in our headers, where the bridge put it aside; in `x-death`, where
the broker did; or not at all, where somebody else published it to the dead-letter exchange. Its id is fixed by the
message, so that a letter that is delivered twice is stored once. All of this is pure, and takes any message: nothing
can be refused here, because there is nowhere else to put it.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from aio_pika.abc import AbstractIncomingMessage

from bridge.amqp.delivery import EXCHANGE, FIRST, ROUTING_KEY, Delivery, as_said, unreadable_of
from bridge.amqp.outlets import CODE, LAST, LETTER, NO_ID, REASON
from bridge.cloudevents import attribute_in_json, is_attribute
from bridge.envelope import Properties
from bridge.errors import GaveUpError, MalformedEventError
from bridge.plain import Published, event_in
from bridge.topology.model import PlainRule
from bridge.topology.names import ATTEMPTS_HEADER, DEAD_LETTERS, OUR_PREFIX, PRIORITY_HEADER
from contracts.envelope import Event
from contracts.json import Json
from store.dead_letters import Letter

DEATH: Final = "x-death"
UNEXPLAINED: Final = "unexplained"

_BY_BROKER: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "expired": ("expired", "It waited in the queue {queue} for longer than is allowed there."),
        "delivery_limit": (GaveUpError.code, "The queue {queue} delivered it too often, and nobody answered."),
        "rejected": ("rejected", "A consumer of the queue {queue} rejected it."),
        "maxlen": ("queue-full", "The queue {queue} was full."),
    }
)
_NO_REASON = "Nothing says why: somebody published it to the dead-letter exchange."
_MAX_ID = 200
_IDS = uuid.UUID("3f6a2f0c-51c4-5e0f-8c4e-6b0f2b7f6a10")
_PROPERTIES = (
    "message_id",
    "correlation_id",
    "timestamp",
    "priority",
    "type",
    "app_id",
    "content_encoding",
    "expiration",
    "reply_to",
    "user_id",
)


@dataclass(frozen=True, slots=True)
class _Death:
    """An entry of `x-death`: what the broker did and when."""

    reason: str
    queue: str
    exchange: str
    routing_key: str
    time: datetime | None
    count: int


def letter_of(message: AbstractIncomingMessage, plain: Sequence[PlainRule] = ()) -> Letter:
    """Return what is kept of a message of the dead-letter queue; `plain` says which may have no envelope."""
    delivery = Delivery.of(message, DEAD_LETTERS, _without_end)
    headers, deaths = delivery.headers, _deaths(delivery.headers)
    code, reason = _why(headers, deaths)
    latest = deaths[0].time if deaths else None
    last = _moment(headers.get(LAST)) or latest or message.timestamp or delivery.received
    exchange = _text(headers.get(EXCHANGE)) or (deaths[-1].exchange if deaths else delivery.exchange)
    routing_key = _text(headers.get(ROUTING_KEY)) or (deaths[-1].routing_key if deaths else delivery.routing_key)
    identity, kind = _event(delivery, Published(exchange, routing_key), plain)
    return Letter(
        letter_id=_given_id(headers) or _letter_id(delivery, deaths),
        event_id=identity,
        event_type=kind,
        exchange=exchange,
        routing_key=routing_key,
        code=code,
        reason=reason,
        attempts=_number(headers.get(ATTEMPTS_HEADER)) or sum(death.count for death in deaths) or 1,
        first_at=_moment(headers.get(FIRST)) or message.timestamp or last,
        last_at=last,
        headers={
            name: _as_json(attribute_in_json(value) if is_attribute(name) else value) for name, value in headers.items()
        },
        properties=_properties(message),
        content_type=_text(message.content_type),
        body=message.body,
    )


async def _without_end() -> timedelta:
    """A letter is only stored, under its own id: it does not matter whether it is still ours."""
    return timedelta.max


def event_of(letter: Letter, body: bytes | None = None, plain: Sequence[PlainRule] = ()) -> Event:
    """Return the event in a letter, or the one that `body` would make it.

    Args:
        letter: The letter.
        body: Another body for it.
        plain: Which messages may have no envelope.

    Raises:
        MalformedEventError: It is none.
    """
    properties = Properties(
        _text(letter.properties.get("message_id")),
        _moment(letter.properties.get("timestamp")),
        _text(letter.properties.get("correlation_id")),
        headers=as_said(letter.headers),
        content_type=letter.content_type,
        received=letter.first_at,
        unreadable=unreadable_of(letter.headers),
    )
    published = Published(letter.exchange, letter.routing_key)
    return event_in(letter.body if body is None else body, properties, published, plain)


def origin_of(letter: Letter) -> tuple[str, str] | None:
    """Return the exchange and the routing key that a foreign queue's dead letter was published with.

    None where it is to be published as any event: it died in a queue of ours, or nothing says where it came from.
    """
    deaths = _deaths(letter.headers)
    if CODE in letter.headers or not deaths or deaths[-1].queue.startswith(OUR_PREFIX):
        return None
    return letter.exchange, letter.routing_key


def priority_of(letter: Letter) -> int:
    """Return the AMQP priority that the event had, 0 to 9."""
    priority = letter.headers.get(PRIORITY_HEADER, letter.properties.get("priority"))
    return priority if isinstance(priority, int) and 0 <= priority <= 9 else 0  # noqa: PLR2004 - AMQP's highest


def _why(headers: Mapping[str, Any], deaths: Sequence[_Death]) -> tuple[str, str]:
    if code := _text(headers.get(CODE)):
        return code, _text(headers.get(REASON)) or ""
    if not deaths:
        return UNEXPLAINED, _NO_REASON
    latest = deaths[0]
    fallback = (UNEXPLAINED, f"RabbitMQ took it from the queue {{queue}}: {latest.reason}.")
    code, reason = _BY_BROKER.get(latest.reason, fallback)
    return code, reason.replace("{queue}", latest.queue)


def _event(delivery: Delivery, published: Published, plain: Sequence[PlainRule]) -> tuple[str | None, str | None]:
    has_id = NO_ID not in delivery.headers
    properties = delivery.properties if has_id else replace(delivery.properties, message_id=None)
    try:
        event = event_in(delivery.body, properties, published, plain)
    except MalformedEventError:
        return properties.message_id, _text(delivery.message.type)
    return event.identity, event.type


def _given_id(headers: Mapping[str, Any]) -> str | None:
    given = _text(headers.get(LETTER)) if CODE in headers else None
    return given if given and len(given) <= _MAX_ID else None


def _letter_id(delivery: Delivery, deaths: Sequence[_Death]) -> str:
    """The same for each delivery of one message, another for each time at which the broker put it aside."""
    digest = hashlib.sha256(delivery.body).hexdigest()
    parts = [delivery.message.message_id or "", digest, delivery.message.routing_key or ""]
    for death in deaths[:1]:
        parts += [death.queue, death.reason, str(death.count), death.time.isoformat() if death.time else ""]
    return str(uuid.uuid5(_IDS, "\n".join(parts)))


def _deaths(headers: Mapping[str, Any]) -> list[_Death]:
    """The latest first, as the broker writes them."""
    found = headers.get(DEATH)
    return [_death(each) for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def _death(entry: Mapping[str, Any]) -> _Death:
    keys = entry.get("routing-keys")
    return _Death(
        reason=_text(entry.get("reason")) or "",
        queue=_text(entry.get("queue")) or "",
        exchange=_text(entry.get("exchange")) or "",
        routing_key=(_text(keys[0]) or "") if isinstance(keys, list) and keys else "",
        time=_moment(entry.get("time")),
        count=_number(entry.get("count")),
    )


def _properties(message: AbstractIncomingMessage) -> dict[str, Json]:
    invented = {"message_id"} if NO_ID in message.headers else set[str]()
    values = {name: getattr(message, name) for name in _PROPERTIES if name not in invented}
    return {name: _as_json(value) for name, value in values.items() if value is not None}


def _as_json(value: object) -> Json:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case bytes() | bytearray():
            return value.decode("utf-8", "replace")
        case datetime():
            return value.isoformat()
        case Decimal():
            return float(value)
        case Mapping():
            return {str(name): _as_json(item) for name, item in value.items()}
        case list() | tuple():
            return [_as_json(item) for item in value]
    return str(value)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _moment(value: object) -> datetime | None:
    """A moment as a header may hold it: AMQP's own type, which is in UTC, or text."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    try:
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except OverflowError:
        return None

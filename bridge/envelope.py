"""Decode a message into an event, or say why it is none.

Bytes from the bus are hostile until this function has returned: size, nesting and text are bounded, and whatever is
wrong ends as one `MalformedEventError`. Members of the envelope that we do not know are passed over, so that
producers may add some. What the envelope leaves out may stand in the AMQP properties (message id, timestamp,
correlation id), where other producers put it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bridge.errors import MalformedEventError
from contracts.envelope import Event
from contracts.json import Json

MAX_BYTES = 256 * 1024
MAX_DEPTH = 64
_MAX_ID = 200
_MAX_TYPE_BYTES = 255
_TYPE = re.compile(r"[^\s.*#\x00-\x1f\x7f]+(?:\.[^\s.*#\x00-\x1f\x7f]+)*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Properties:
    """The AMQP properties that can stand in for members of the envelope."""

    message_id: str | None = None
    timestamp: datetime | None = None
    correlation_id: str | None = None


def decode(body: bytes, properties: Properties) -> Event:
    """Return the event in a message's body.

    Raises:
        MalformedEventError: It is no event; the detail says why.
    """
    envelope = _document(body)
    return Event(
        id=_id(envelope, properties),
        type=_type(envelope),
        version=_text(envelope, "event_version", default="1.0"),
        time=_time(envelope, properties),
        source=_text(envelope, "source", default=""),
        data=_data(envelope),
        metadata=_metadata(envelope, properties),
    )


def _document(body: bytes) -> Mapping[str, Any]:
    if len(body) > MAX_BYTES:
        raise MalformedEventError(f"It has {len(body):,} bytes; {MAX_BYTES:,} are allowed.")
    try:
        document = json.loads(body.decode(), parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise MalformedEventError(f"It is not JSON in UTF-8: {error}.") from None
    if not isinstance(document, dict):
        raise MalformedEventError("It is not a JSON object.")
    _check_content(document)
    return document


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"the number {text[:20]} is out of range")
    return number


def _check_content(document: Json) -> None:
    level: list[Json] = [document]
    for _ in range(MAX_DEPTH):
        level = [child for value in level for child in _children(value)]
        if not level:
            return
    raise MalformedEventError(f"It is nested more than {MAX_DEPTH} levels deep.")


def _children(value: Json) -> list[Json]:
    match value:
        case dict():
            return [*value, *value.values()]
        case list():
            return value
        case str() if not value.isascii():
            _refuse_surrogates(value)
    return []


def _refuse_surrogates(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise MalformedEventError("It holds half of a Unicode surrogate pair.") from None


def _id(envelope: Mapping[str, Any], properties: Properties) -> str:
    value = envelope.get("event_id", properties.message_id)
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_ID or _CONTROL.search(value):
        raise MalformedEventError(f"`event_id` must be a text of 1 to {_MAX_ID} characters.")
    return value


def _type(envelope: Mapping[str, Any]) -> str:
    value = envelope.get("event_type")
    if not isinstance(value, str) or len(value.encode()) > _MAX_TYPE_BYTES or _TYPE.fullmatch(value) is None:
        raise MalformedEventError("`event_type` must be words with dots between, such as `agent.created`.")
    return value


def _time(envelope: Mapping[str, Any], properties: Properties) -> datetime:
    value = envelope.get("timestamp", properties.timestamp)
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        moment = None
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise MalformedEventError("`timestamp` must be a moment with its zone, such as `2024-01-15T10:30:00Z`.")
    return _in_utc(moment)


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise MalformedEventError("`timestamp` is out of range.") from None


def _text(envelope: Mapping[str, Any], name: str, default: str) -> str:
    value = envelope.get(name, default)
    if not isinstance(value, str):
        raise MalformedEventError(f"`{name}` must be a text.")
    return value


def _data(envelope: Mapping[str, Any]) -> Json:
    if "data" not in envelope:
        raise MalformedEventError("`data` is missing.")
    data: Json = envelope["data"]
    return data


def _metadata(envelope: Mapping[str, Any], properties: Properties) -> Mapping[str, Json]:
    value = envelope.get("metadata", {})
    if not isinstance(value, dict):
        raise MalformedEventError("`metadata` must be an object.")
    if properties.correlation_id and "correlation_id" not in value:
        return {**value, "correlation_id": properties.correlation_id}
    return value

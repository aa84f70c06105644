"""CloudEvents 1.0: events of the usual form in the world, read as ours.

Structured mode is a JSON object with `specversion`; binary mode has the attributes in headers that begin with
`cloudEvents:` (or `cloudEvents_`) and the data as the body. Attributes that our envelope has a place for go there
(`ATTRIBUTES`); every other extension goes into the metadata under its own name. What CloudEvents cannot say (a
member with a name or a value that no extension may have, an id that is unique whatever the source) travels as JSON in
one extension of ours, `sagaenvelope`, so that an event comes back as it was; `bridge/encoding.py` writes it.

Data that is not JSON is not refused: text stays text, everything else is Base64, and the metadata says so. Batches
are refused, since a message is acknowledged as a whole.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from bridge.errors import MalformedEventError
from bridge.members import Properties, bounded, event_type, identity, json_in, key_text, moment, text
from contracts.envelope import Event
from contracts.json import Json

SPEC_VERSION: Final = "1.0"
CONTENT_TYPE: Final = "application/cloudevents+json"
HEADER: Final = "cloudEvents:"
ENVELOPE: Final = "sagaenvelope"
METADATA: Final[Mapping[str, str]] = MappingProxyType(
    {
        "subject": "subject",
        "partitionkey": "group_id",
        "correlationid": "correlation_id",
        "causationid": "causation_id",
        "traceparent": "traceparent",
        "tracestate": "tracestate",
    }
)
"""The attributes that are members of our metadata, with their names there."""

MEMBERS: Final = frozenset(
    [
        *("specversion", "id", "source", "type", "time", "datacontenttype", "data", "data_base64"),
        *("eventversion", "expirytime", ENVELOPE),
    ]
)
"""The attributes that are members of our envelope, or say how it is written."""

_MOMENTS = ("time", "expirytime")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LOST = "header "
_KEYS = ("partitionkey", "correlationid")
_JSON = "application/json"
_BYTES = "application/octet-stream"
_FAMILY = "application/cloudevents"
_PREFIXES = ("cloudevents:", "cloudevents_")


def is_binary(properties: Properties) -> bool:
    """Tell whether a message is a CloudEvent in binary mode."""
    names = [*properties.headers, *(name.removeprefix(_LOST) for name in properties.unreadable)]
    return any(map(is_attribute, names)) and not _in_family(properties)


def is_attribute(header: str) -> bool:
    """Tell whether a header is an attribute of a CloudEvent in binary mode."""
    return header.lower().startswith(_PREFIXES)


def attribute_in_json(value: object) -> object:
    """Return what reads as the same attribute and JSON can say: of moments and bytes the usual text."""
    return _extension("", value) if isinstance(value, datetime | bytes | bytearray) else value


def is_structured(document: Json, properties: Properties) -> bool:
    """Tell whether a message is a CloudEvent, or several, in structured mode."""
    has_mark = isinstance(document, dict) and "specversion" in document and "event_type" not in document
    return has_mark or _in_family(properties)


def read_structured(document: Json, properties: Properties) -> Event:
    """Return the event that a JSON document is.

    Raises:
        MalformedEventError: It is no CloudEvent 1.0, or a batch of them.
    """
    if _media_type(properties.content_type).startswith(f"{_FAMILY}-batch") or isinstance(document, list):
        raise MalformedEventError("It is a batch of CloudEvents; publish each event as a message of its own.")
    if not isinstance(document, dict):
        raise MalformedEventError("It is not a JSON object.")
    present = {name: value for name, value in document.items() if value is not None}
    data, more = _data_of(present)
    return _event(present, data, more, properties)


def read_binary(body: bytes, properties: Properties) -> Event:
    """Return the event whose attributes are in the headers and whose data is the body.

    Raises:
        MalformedEventError: It is no CloudEvent 1.0.
    """
    lost = [name for name in properties.unreadable if is_attribute(name.removeprefix(_LOST))]
    properties.refuse_unreadable("headers", *lost, needed_for="An attribute of a CloudEvent in binary mode")
    attributes = {
        name[len(HEADER) :].lower(): value
        for name, value in properties.headers.items()
        if is_attribute(name) and value is not None
    }
    attributes |= {name: _moment_in(attributes[name]) for name in _MOMENTS if name in attributes}
    content_type = properties.content_type or attributes.get("datacontenttype")
    if content_type is None:
        properties.refuse_unreadable("content_type", needed_for="The type of its data")
    data, more = _data_in(bounded(body), text(content_type or _JSON, "datacontenttype"))
    return _event(attributes, data, more, properties)


def _moment_in(value: object) -> object:
    """Return an attribute of a header; a whole number is a moment of AMQP 1.0, milliseconds since 1970."""
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    try:
        return _EPOCH + timedelta(milliseconds=value)
    except OverflowError:
        return value


def _event(attributes: Mapping[str, Any], data: Json, more: Mapping[str, Json], properties: Properties) -> Event:
    if attributes.get("specversion") != SPEC_VERSION:
        raise MalformedEventError("`specversion` must be 1.0.")
    kept = _kept(attributes)
    expiry = attributes.get("expirytime")
    if "id" not in attributes:
        properties.refuse_unreadable("message_id", needed_for="`id`")
    if "time" not in attributes:
        properties.refuse_unreadable("timestamp", needed_for="`time`")
    return Event(
        id=identity(attributes.get("id", properties.message_id), "id"),
        type=event_type(attributes.get("type"), "type"),
        version=text(kept.get("version", attributes.get("eventversion", "1.0")), "eventversion"),
        time=moment(attributes.get("time", properties.timestamp or properties.received), "time"),
        source=text(kept.get("source", attributes.get("source")), "source"),
        data=data,
        metadata={**more, **_metadata(attributes), **_mapping(kept.get("metadata", {}))},
        expires_at=None if expiry is None else moment(expiry, "expirytime"),
        unique_id=kept.get("unique_id") is True,
        filled=frozenset() if "time" in attributes else frozenset({"timestamp"}),
    )


def _kept(attributes: Mapping[str, Any]) -> Mapping[str, Json]:
    """Return what our own encoding added because CloudEvents cannot say it."""
    value = attributes.get(ENVELOPE)
    return {} if value is None else _mapping(json_in(_bytes(value), f"`{ENVELOPE}`"))


def _mapping(value: Json) -> Mapping[str, Json]:
    if not isinstance(value, dict):
        raise MalformedEventError(f"`{ENVELOPE}` must hold an object.")
    return value


def _metadata(attributes: Mapping[str, Any]) -> dict[str, Json]:
    others = {name: value for name, value in attributes.items() if name not in MEMBERS}
    return {
        METADATA.get(name, name): key_text(value, name) if name in _KEYS else _extension(name, value)
        for name, value in others.items()
    }


def _extension(name: str, value: object) -> Json:
    """Return an attribute as JSON; AMQP has further types, of which moments and bytes have a usual text."""
    match value:
        case bool() | int() | str():
            return value
        case datetime():
            return moment(value, name).isoformat().replace("+00:00", "Z")
        case bytes() | bytearray():
            return base64.b64encode(value).decode()
    raise MalformedEventError(f"The attribute `{name[:50]}` must be a text, a whole number or a boolean.")


def _data_of(document: Mapping[str, Any]) -> tuple[Json, dict[str, Json]]:
    """Return the data of a JSON document, and what the metadata is to say of it."""
    declared = text(document.get("datacontenttype", _JSON), "datacontenttype")
    if "data_base64" not in document:
        return document.get("data"), _said(declared)
    if "data" in document:
        raise MalformedEventError("`data` and `data_base64` exclude each other.")
    is_unknown = "datacontenttype" not in document
    return _data_in(_from_base64(document["data_base64"]), _BYTES if is_unknown else declared)


def _data_in(body: bytes, content_type: str) -> tuple[Json, dict[str, Json]]:
    media_type = _media_type(content_type)
    if media_type == _JSON or media_type.endswith("+json"):
        return json_in(body, "Its data"), _said(content_type)
    if media_type.startswith("text/") or media_type == "application/xml" or media_type.endswith("+xml"):
        return _bytes_as_text(body), _said(content_type)
    return base64.b64encode(body).decode(), {**_said(content_type), "dataencoding": "base64"}


def _said(content_type: str) -> dict[str, Json]:
    return {} if _media_type(content_type) == _JSON else {"datacontenttype": content_type}


def _bytes_as_text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise MalformedEventError(f"Its data is not text in UTF-8: {error.reason}.") from None


def _from_base64(value: object) -> bytes:
    try:
        return base64.b64decode(_bytes(value), validate=True)
    except binascii.Error:
        raise MalformedEventError("`data_base64` is not Base64.") from None


def _bytes(value: object) -> bytes:
    if not isinstance(value, str):
        raise MalformedEventError("`data_base64` and extensions that hold JSON must be texts.")
    return value.encode()


def _in_family(properties: Properties) -> bool:
    return _media_type(properties.content_type).startswith(_FAMILY)


def _media_type(content_type: str | None) -> str:
    return (content_type or "").partition(";")[0].strip().lower()

"""Decode a message into an event, or say why it is none.

Three forms are read: the seed's envelope (a JSON object with `event_id`, `event_type` and so on), and CloudEvents 1.0
in structured and in binary mode (`bridge/cloudevents.py`). Bytes from the bus are hostile until this function has
returned; whatever is wrong ends as one `MalformedEventError`. Members of the envelope that we do not know are passed
over, so that producers may add some. What an envelope leaves out may stand in the AMQP properties (message id,
timestamp, correlation id, expiration) and headers (group, trace context), where other producers put it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from bridge import cloudevents
from bridge.errors import MalformedEventError
from bridge.members import MAX_BYTES, MAX_DEPTH, Properties, event_type, identity, json_in, key_text, moment, text
from bridge.topology.names import GROUP_HEADER
from contracts.envelope import Event
from contracts.json import Json

__all__ = ("MAX_BYTES", "MAX_DEPTH", "TRACE_HEADERS", "Properties", "decode")

TRACE_HEADERS: Final = ("traceparent", "tracestate")
_KEYS = ("correlation_id", "group_id")
_MAX_TRACE = 1024
_PRINTABLE = re.compile(r"[\x20-\x7e]+")


def decode(body: bytes, properties: Properties) -> Event:
    """Return the event in a message's body.

    Raises:
        MalformedEventError: It is no event; the detail says why.
    """
    event = _event(body, properties)
    metadata = {**_transported(properties), **_with_texts(event.metadata)}
    return replace(event, metadata=metadata, expires_at=event.expires_at or _expiry(properties))


def _event(body: bytes, properties: Properties) -> Event:
    if cloudevents.is_binary(properties):
        return cloudevents.read_binary(body, properties)
    document = json_in(body)
    if cloudevents.is_structured(document, properties):
        return cloudevents.read_structured(document, properties)
    if not isinstance(document, dict):
        raise MalformedEventError("It is not a JSON object.")
    return _seed(document, properties)


def _seed(envelope: Mapping[str, Any], properties: Properties) -> Event:
    return Event(
        id=identity(envelope.get("event_id", properties.message_id), "event_id"),
        type=event_type(envelope.get("event_type"), "event_type"),
        version=text(envelope.get("event_version", "1.0"), "event_version"),
        time=moment(envelope.get("timestamp", properties.timestamp), "timestamp"),
        source=text(envelope.get("source", ""), "source"),
        data=_data(envelope),
        metadata=_metadata(envelope),
        expires_at=moment(envelope["expires_at"], "expires_at") if "expires_at" in envelope else None,
    )


def _data(envelope: Mapping[str, Any]) -> Json:
    if "data" not in envelope:
        raise MalformedEventError("`data` is missing.")
    data: Json = envelope["data"]
    return data


def _metadata(envelope: Mapping[str, Any]) -> Mapping[str, Json]:
    value = envelope.get("metadata", {})
    if not isinstance(value, dict):
        raise MalformedEventError("`metadata` must be an object.")
    return value


def _with_texts(metadata: Mapping[str, Json]) -> dict[str, Json]:
    """Return metadata whose keys are texts, without those that say nothing."""
    keys = {name: key_text(metadata.get(name), f"metadata.{name}") for name in _KEYS}
    others = {name: value for name, value in metadata.items() if name not in _KEYS}
    return others | {name: value for name, value in keys.items() if value is not None}


def _transported(properties: Properties) -> dict[str, Json]:
    """Return the metadata that the message has outside its body."""
    found: dict[str, Json] = {}
    if correlation := key_text(properties.correlation_id, "correlation_id"):
        found["correlation_id"] = correlation
    if group := key_text(properties.headers.get(GROUP_HEADER), GROUP_HEADER):
        found["group_id"] = group
    for name in TRACE_HEADERS:
        value = properties.headers.get(name)
        # A trace context that cannot be read is left out: that is what its specification asks for.
        if isinstance(value, str) and len(value) <= _MAX_TRACE and _PRINTABLE.fullmatch(value):
            found[name] = value
    return found


def _expiry(properties: Properties) -> datetime | None:
    """Return when the broker would drop the message; without its timestamp nobody can tell afterwards."""
    if properties.timestamp is None or properties.expiration is None:
        return None
    try:
        return moment(properties.timestamp, "timestamp") + properties.expiration
    except OverflowError:
        return None

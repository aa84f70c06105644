"""Decode a message into an event, or say why it is none.

Three forms are read: the seed's envelope (a JSON object with `event_id`, `event_type` and so on), and CloudEvents 1.0
in structured and in binary mode (`bridge/cloudevents.py`). Bytes from the bus are hostile until this function has
returned; whatever is wrong ends as one `MalformedEventError`. Members of the envelope that we do not know are passed
over, so that producers may add some; null is what is not there. What an envelope leaves out may stand in the AMQP
properties (message id, timestamp, correlation id, expiration) and headers (group, trace context), where other
producers put it. What was filled in so is no content: it says how a message travelled, and the next copy of the same
event may differ in it. Where what is needed stands in a property or a header that nobody can read, the event is
refused, and the reason names that one.
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

TRACE_HEADERS: Final = frozenset({"traceparent", "tracestate"})
_KEYS = ("correlation_id", "group_id")
_MAX_TRACE = 1024
_PRINTABLE = re.compile(r"[\x20-\x7e]+")


def decode(body: bytes, properties: Properties) -> Event:
    """Return the event in a message's body.

    Raises:
        MalformedEventError: It is no event; the detail says why.
    """
    event = _event(body, properties)
    own = _with_texts(event.metadata)
    if "group_id" not in own:
        # Without its key the event would be in order with nothing, which nobody notices.
        properties.refuse_unreadable("headers", f"header {GROUP_HEADER}", needed_for="`metadata.group_id`")
    transported, expiry = _transported(properties, own), _expiry(properties)
    filled = event.filled | {f"metadata.{name}" for name in transported}
    if event.expires_at is None and expiry is not None:
        return replace(event, metadata={**transported, **own}, expires_at=expiry, filled=filled | {"expires_at"})
    return replace(event, metadata={**transported, **own}, filled=filled)


def _event(body: bytes, properties: Properties) -> Event:
    if cloudevents.is_binary(properties):
        return cloudevents.read_binary(body, properties)
    try:
        return _event_in(json_in(body), properties)
    except MalformedEventError as error:
        if why := properties.unreadable.get("headers"):
            cause = f"{error.detail} Its headers, where a CloudEvent has its attributes, cannot all be read: {why}."
            raise MalformedEventError(cause) from None
        raise


def _event_in(document: Json, properties: Properties) -> Event:
    if cloudevents.is_structured(document, properties):
        return cloudevents.read_structured(document, properties)
    if not isinstance(document, dict):
        raise MalformedEventError("It is not a JSON object.")
    return _seed({name: value for name, value in document.items() if value is not None or name == "data"}, properties)


def _seed(envelope: Mapping[str, Any], properties: Properties) -> Event:
    if "event_id" not in envelope:
        properties.refuse_unreadable("message_id", needed_for="`event_id`")
    if "timestamp" not in envelope:
        properties.refuse_unreadable("timestamp", needed_for="`timestamp`")
    return Event(
        id=identity(envelope.get("event_id", properties.message_id), "event_id"),
        type=event_type(envelope.get("event_type"), "event_type"),
        version=text(envelope.get("event_version", "1.0"), "event_version"),
        time=moment(envelope.get("timestamp", properties.timestamp), "timestamp"),
        source=text(envelope.get("source", ""), "source"),
        data=_data(envelope),
        metadata=_metadata(envelope),
        expires_at=moment(envelope["expires_at"], "expires_at") if "expires_at" in envelope else None,
        unique_id=envelope.get("unique_id") is not False,
        filled=frozenset() if "timestamp" in envelope else frozenset({"timestamp"}),
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


def _transported(properties: Properties, own: Mapping[str, Json]) -> dict[str, Json]:
    """Return the metadata that the message has outside its body, and that its own does not have."""
    found: dict[str, Json] = {}
    if "correlation_id" not in own and (value := key_text(properties.correlation_id, "correlation_id")):
        found["correlation_id"] = value
    if "group_id" not in own and (value := key_text(properties.headers.get(GROUP_HEADER), GROUP_HEADER)):
        found["group_id"] = value
    for name in TRACE_HEADERS - own.keys():
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

"""A verified delivery becomes an event. Pure.

The event's id is made of the source and the delivery's id, so a repetition makes the same event, and whatever comes
after may drop it. The event is written as it will travel and read back by the bus's own decoder: what is accepted
here cannot turn out to be malformed there.
"""

from __future__ import annotations

import json
import re
import uuid
from datetime import datetime
from typing import Final

from bridge.envelope import decode
from bridge.errors import MalformedEventError
from bridge.http.errors import DeliveryUnusableError
from bridge.http.headers import Headers
from bridge.http.signatures.scheme import Identity
from bridge.http.sources import Source
from bridge.http.templates import Bindings
from bridge.members import Properties
from contracts.envelope import Event
from contracts.json import Json
from workflows.language.expressions.model import ExpressionFailure
from workflows.language.expressions.template import Template

_IDS: Final = uuid.UUID("6f2b1f5e-6c2b-5d0e-9f0a-3a1c7d9e4b52")
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_TRACESTATE: Final = re.compile(r"[\x20-\x7e]{1,512}")
_LONGEST_KEY: Final = 200


def event_id(source: str, delivery_id: str) -> str:
    """Return the id of the event that a delivery becomes; a source's name holds no `/`."""
    return str(uuid.uuid5(_IDS, f"{source}/{delivery_id}"))


def event_of(source: Source, identity: Identity, headers: Headers, document: Json, now: datetime) -> Event:
    """Return the event that a delivery becomes.

    Raises:
        DeliveryUnusableError: An expression of the source has no value for it, or what it gives fits no event.
    """
    unique = event_id(source.name, identity.id)
    seen = Bindings(headers.as_binding(source.scheme.header if source.scheme.sends_secret else ""), document, unique)
    event = Event(
        id=unique,
        type=str(_value("type", source.type, seen)),
        version="1.0",
        time=now,
        source=f"webhook/{source.name}",
        data=document if source.data is None else _value("data", source.data, seen),
        metadata=_metadata(source, identity, headers, seen),
    )
    return _as_it_travels(event)


def _as_it_travels(event: Event) -> Event:
    text = json.dumps(event.to_json(), ensure_ascii=False, separators=(",", ":"))
    try:
        # Half a surrogate pair is for the decoder to refuse, not for the encoder to fail at.
        return decode(text.encode("utf-8", "surrogatepass"), Properties())
    except MalformedEventError as error:
        raise DeliveryUnusableError(f"The event would not be accepted: {error.detail}") from error


def _metadata(source: Source, identity: Identity, headers: Headers, seen: Bindings) -> dict[str, Json]:
    metadata: dict[str, Json] = {"webhook": {"source": source.name, "delivery_id": identity.id}}
    if source.key is not None and (key := _key(source.key, seen)) is not None:
        metadata["group_id"] = key
    if _TRACEPARENT.fullmatch(parent := headers.text("traceparent")):
        metadata["traceparent"] = parent
        if _TRACESTATE.fullmatch(state := headers.text("tracestate")):
            metadata["tracestate"] = state
    return metadata


def _key(template: Template, seen: Bindings) -> str | None:
    value = _value("key", template, seen)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int) or not 0 < len(str(value)) <= _LONGEST_KEY:
        raise DeliveryUnusableError(
            f"`key` must give a text of 1 to {_LONGEST_KEY} characters, a whole number, or null for none."
        )
    return str(value)


def _value(name: str, template: Template, seen: Bindings) -> Json:
    try:
        return template.evaluate(seen)
    except ExpressionFailure as failure:
        cure = " Where a delivery may have no key, write `${ body.?member.orValue(null) }`." if name == "key" else ""
        raise DeliveryUnusableError(f"`{name}` has no value for it: {failure.message}.{cure}") from failure

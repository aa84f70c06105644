"""Write an event as a message: the seed's envelope, or a CloudEvent in structured or binary mode.

The reverse of `bridge.envelope.decode`: whatever form is chosen, decoding gives the same event. Group and trace
context stand in the headers as well, where exchanges and tracers look for them without reading a body.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeGuard, get_args
from urllib.parse import quote

from bridge.cloudevents import CONTENT_TYPE, ENVELOPE, HEADER, MEMBERS, METADATA, SPEC_VERSION
from bridge.envelope import MAX_BYTES
from bridge.errors import EventTooLargeError
from bridge.topology.names import GROUP_HEADER
from contracts.envelope import Event, in_words
from contracts.json import Json

Form = Literal["saga", "cloudevents", "cloudevents-binary"]
FORMS: Final[tuple[Form, ...]] = get_args(Form)

_MAX_HEADER_BYTES = 64 * 1024
"""Half of what a frame of AMQP holds, which the headers of a message must fit in."""

_JSON = "application/json"
_NO_SOURCE = "urn:saga:unknown"
_URI = "!#$%&'()*+,/:;=?@[]~"
_NAME = re.compile(r"[a-z0-9]{1,20}")
_NO_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_INTEGERS = range(-(2**31), 2**31)
_ATTRIBUTES = {ours: theirs for theirs, ours in METADATA.items()}
_TAKEN = MEMBERS | METADATA.keys() | {"dataencoding"}


@dataclass(frozen=True, slots=True)
class Encoded:
    """A message to publish: its body, and what goes with it."""

    body: bytes
    content_type: str
    headers: Mapping[str, str | int | bool]


def encode(event: Event, form: Form = "saga") -> Encoded:
    """Return an event in one of the forms that `decode` reads.

    Raises:
        EventTooLargeError: Nobody would take it.
    """
    headers = _transported(event)
    match form:
        case "saga":
            encoded = Encoded(_json(event.to_json()), _JSON, headers)
        case "cloudevents":
            document = {**_attributes(event), "datacontenttype": _JSON, "data": event.data}
            encoded = Encoded(_json(document), CONTENT_TYPE, headers)
        case "cloudevents-binary":
            attributes = {f"{HEADER}{name}": value for name, value in _attributes(event).items()}
            encoded = Encoded(_json(event.data), _JSON, {**attributes, **headers})
    _check_sizes(encoded, event)
    return encoded


def _transported(event: Event) -> dict[str, str | int | bool]:
    found = {GROUP_HEADER: event.group_id, "traceparent": event.traceparent, "tracestate": event.tracestate}
    return {name: value for name, value in found.items() if value is not None}


def _attributes(event: Event) -> dict[str, str | int | bool]:
    source = quote(event.source, safe=_URI) or _NO_SOURCE
    attributes: dict[str, str | int | bool] = {
        "specversion": SPEC_VERSION,
        "id": event.id,
        "source": source,
        "type": event.type,
        "time": in_words(event.time),
        "eventversion": event.version,
    }
    if event.expires_at is not None:
        attributes["expirytime"] = in_words(event.expires_at)
    extensions, left = _extensions(event.metadata)
    kept: dict[str, Json] = {"unique_id": True} if event.unique_id else {}
    if source != event.source:
        kept["source"] = event.source
    if left:
        kept["metadata"] = left
    return attributes | extensions | ({ENVELOPE: json.dumps(kept)} if kept else {})


def _extensions(metadata: Mapping[str, Json]) -> tuple[dict[str, str | int | bool], dict[str, Json]]:
    """Return the metadata that extensions can say, by attribute, and the rest."""
    extensions: dict[str, str | int | bool] = {}
    left: dict[str, Json] = {}
    for name, value in metadata.items():
        attribute = _attribute(name)
        if attribute is not None and _is_sayable(value):
            extensions[attribute] = value
        else:
            left[name] = value
    return extensions, left


def _attribute(name: str) -> str | None:
    if name in _ATTRIBUTES:
        return _ATTRIBUTES[name]
    return name if name not in _TAKEN and _NAME.fullmatch(name) else None


def _is_sayable(value: Json) -> TypeGuard[str | int | bool]:
    match value:
        case bool():
            return True
        case int():
            return value in _INTEGERS
        case str():
            return value != "" and _NO_TEXT.search(value) is None
    return False


def _json(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _check_sizes(encoded: Encoded, event: Event) -> None:
    if len(encoded.body) > MAX_BYTES:
        size = f"{len(encoded.body):,} bytes; {MAX_BYTES:,} are allowed"
        raise EventTooLargeError(f"{event.type} has {size}.")
    headers = sum(len(name) + len(str(value).encode()) for name, value in encoded.headers.items())
    if headers > _MAX_HEADER_BYTES:
        size = f"{headers:,} bytes of headers; {_MAX_HEADER_BYTES:,} are allowed"
        raise EventTooLargeError(f"{event.type} has {size}. Publish it in a form that needs none.")

"""Messages that are a JSON payload and no envelope, of producers that the operator names in `plain` of topology.yaml.

A rule fits by where a message was published: its routing key and, where the rule says so, its exchange. Such a message
becomes the event that the same message would be as a CloudEvent in binary mode: the attributes come from AMQP and the
body is the data. What is an envelope all the same is read as one, so that a producer can change over at any time.

The id has to be the same whenever a message is delivered again and another for each message. Only the producer can give
such an id, so a message without one is refused. A rule may say `id: content`: then it is made of the content alone, and
two messages that say the same are one, which the operator has to want (decision 21).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from bridge import cloudevents
from bridge.envelope import Properties, decode
from bridge.errors import MalformedEventError
from bridge.members import event_type, json_in
from bridge.topology.model import PlainRule
from contracts.json import Json
from contracts.topics import topic_matches

if TYPE_CHECKING:
    from contracts.envelope import Event

_IDS: Final = uuid.UUID("5b0f4a52-6f3e-5f0a-9c55-5a0c0f6d3b21")
_JSON: Final = "application/json"
_HINT: Final = "If its producer sends plain JSON, `plain` in topology.yaml takes it."
_NO_ID: Final = (
    "It has no message id. Let its producer set one, or write `id: content` into the rule: then messages of the same "
    "content are one event."
)


@dataclass(frozen=True, slots=True)
class Published:
    """Where a message was published.

    Attributes:
        exchange: The exchange that its producer published to.
        routing_key: The key that its producer published with.
    """

    exchange: str
    routing_key: str


def event_in(body: bytes, properties: Properties, published: Published, rules: Sequence[PlainRule]) -> Event:
    """Return the event in a message.

    Args:
        body: The message's bytes.
        properties: What can stand in for members of an envelope.
        published: Where the message comes from.
        rules: Whose messages may be plain payloads; the first that fits counts.

    Raises:
        MalformedEventError: It is no event; where `plain` would help, the detail says so.
    """
    rule = next((rule for rule in rules if _fits(rule, published)), None)
    if rule is not None and not _is_envelope(body, properties):
        return _event(body, properties, published, rule)
    try:
        return decode(body, properties)
    except MalformedEventError as error:
        if rule is None and _is_plain_json(body, properties):
            raise MalformedEventError(f"{error.detail} {_HINT}") from None
        raise


def _fits(rule: PlainRule, published: Published) -> bool:
    return rule.exchange in ("", published.exchange) and topic_matches(rule.key, published.routing_key)


def _is_envelope(body: bytes, properties: Properties) -> bool:
    """Tell whether a message is meant to be an event in one of the forms; what is no JSON is not."""
    if cloudevents.is_binary(properties):
        return True
    try:
        document = json_in(body)
    except MalformedEventError:
        return cloudevents.is_structured(None, properties)
    return cloudevents.is_structured(document, properties) or _has_members(document)


def _has_members(document: Json) -> bool:
    return isinstance(document, dict) and "event_type" in document and "data" in document


def _is_plain_json(body: bytes, properties: Properties) -> bool:
    """Tell whether a message that is no event may be meant as a plain payload."""
    try:
        document = json_in(body)
    except MalformedEventError:
        return False
    has_a_mark = isinstance(document, dict) and "event_type" in document
    return not (has_a_mark or cloudevents.is_binary(properties) or cloudevents.is_structured(document, properties))


def _event(body: bytes, properties: Properties, published: Published, rule: PlainRule) -> Event:
    attributes = {
        "specversion": cloudevents.SPEC_VERSION,
        "id": _id_of(body, properties, published, rule),
        "type": event_type(published.routing_key, "routing key"),
        "source": published.exchange,
    }
    headers = {f"{cloudevents.HEADER}{name}": value for name, value in attributes.items()}
    # Clients name a type without a thought (text/plain is usual): what an operator calls JSON is read as JSON.
    given = replace(properties, headers={**properties.headers, **headers}, content_type=_JSON)
    # The id is the producer's for all that it publishes, whatever it publishes to: there is no source beside it.
    return replace(decode(body, given), unique_id=True)


def _id_of(body: bytes, properties: Properties, published: Published, rule: PlainRule) -> str:
    if rule.id == "content":
        # The message id does not count, because the client library puts one on each copy that has none; nor does the
        # group, because sorting gives one.
        sent = properties.timestamp.isoformat() if properties.timestamp else ""
        parts = [sha256(body).hexdigest(), sent, published.exchange, published.routing_key]
        return str(uuid.uuid5(_IDS, "\n".join(parts)))
    if properties.message_id is None:
        raise MalformedEventError(_NO_ID)
    return properties.message_id

"""The JSON Schema of the operator's file, for completion and hover text in editors.

A help for typing and not the check: what crosses parts (names that are not declared, classes that overlap) only
`load_topology` knows. Where the two could differ, this is the wider one.
"""

from __future__ import annotations

from typing import Any

from bridge.topology.declared import EXCHANGE_TYPES, MATCHES, OVERFLOWS, QUEUE_TYPES
from bridge.topology.file import MAX_WEIGHT
from bridge.topology.model import CLASSES, MAX_PARTITIONS, MAX_PRIORITY
from bridge.topology.payloads import IDS

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string", "minLength": 1}
_FLAG: Schema = {"type": "boolean"}
_COUNT: Schema = {"type": "integer", "minimum": 1}
_DURATION: Schema = {
    "type": ["string", "number"],
    "description": "A duration such as 30s, 5m, 1h30m, 2d; a bare number is milliseconds.",
}
_VALUE: Schema = {"type": ["string", "integer", "boolean"]}
_ARGUMENTS: Schema = {
    "type": "object",
    "additionalProperties": _VALUE,
    "description": "Arguments of RabbitMQ's, by their own names, such as x-queue-leader-locator.",
}


def topology_schema() -> Schema:
    """Return the JSON Schema (2020-12) of `topology.yaml`."""
    partitions = {"maximum": MAX_PARTITIONS, "description": "Queues of each priority class; one key has one queue."}
    ordered = "What keeps events without a group id in order."
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The broker of a Sagawright bridge",
        **_object(
            {
                "partitions": _COUNT | partitions,
                "priorities": _object(dict.fromkeys(CLASSES, _class()), "Which of AMQP's priorities are urgent."),
                "ordering": {"type": "array", "items": _rule(), "description": ordered},
                "plain": {"type": "array", "items": _plain_rule(), "description": "Whose messages have no envelope."},
                "ttl": _DURATION | {"description": "How long an event may wait before it is a dead letter."},
                "exchanges": _named(_exchange()),
                "queues": _named(_queue()),
                "bindings": {"type": "array", "items": _binding()},
            }
        ),
    }


def _object(properties: Schema, about: str = "", required: tuple[str, ...] = ()) -> Schema:
    schema: Schema = {"type": "object", "additionalProperties": False, "properties": properties}
    return schema | ({"description": about} if about else {}) | ({"required": list(required)} if required else {})


def _named(schema: Schema) -> Schema:
    reserved = {"not": {"pattern": r"^(saga\.|amq\.|events$|events\.|dlx$|dlx\.)"}}
    return {"type": "object", "propertyNames": reserved, "additionalProperties": schema}


def _class() -> Schema:
    lowest: Schema = {"type": "integer", "minimum": 0, "maximum": MAX_PRIORITY, "description": "The lowest priority."}
    weight = _COUNT | {"maximum": MAX_WEIGHT, "description": "Its part of the work while all classes have some."}
    return _object({"from": lowest, "weight": weight})


def _rule() -> Schema:
    key = _TEXT | {"pattern": r"\$\{", "description": "Events for which this is the same are kept in order."}
    return _object({"event": _TEXT | {"description": "A topic pattern."}, "key": key}, required=("event", "key"))


def _plain_rule() -> Schema:
    key = _TEXT | {"description": "A topic pattern of routing keys; the routing key is the type of the event."}
    exchange = _TEXT | {"description": "The exchange that the producer publishes to; without it any."}
    ids: Schema = {
        "enum": list(IDS),
        "default": IDS[0],
        "description": "The id is the message id, or made of the content.",
    }
    return _object({"key": key, "exchange": exchange, "id": ids}, required=("key",))


def _exchange() -> Schema:
    kinds: Schema = {"enum": list(EXCHANGE_TYPES)}
    return _object({"type": kinds, "alternate": _TEXT, "durable": _FLAG, "arguments": _ARGUMENTS}, required=("type",))


def _queue() -> Schema:
    about = "Where what expires or is rejected goes."
    schema = _object(
        {
            "type": {"enum": list(QUEUE_TYPES), "default": QUEUE_TYPES[0]},
            "ttl": _DURATION,
            "expires": _DURATION,
            "max_length": _COUNT,
            "max_bytes": _COUNT,
            "overflow": {"enum": list(OVERFLOWS)},
            "dead_letter": _object({"exchange": _TEXT, "key": _TEXT}, about, ("exchange",)),
            "single_active_consumer": _FLAG,
            "durable": _FLAG,
            "arguments": _ARGUMENTS,
        }
    )
    return schema | {"type": ["object", "null"]}


def _binding() -> Schema:
    header = {"type": [*_VALUE["type"], "null"], "description": "Without a value the header only has to be there."}
    headers: Schema = {"type": "object", "additionalProperties": header}
    keys: Schema = {"from": _TEXT, "to": _TEXT, "key": _TEXT, "headers": headers, "match": {"enum": list(MATCHES)}}
    return _object(keys, required=("from", "to"))

"""The JSON Schema of a definition file, for completion and hover text in editors.

`saga schema` writes it; an editor's YAML support takes it from a comment or a setting. It is a help for typing, not
the check: what crosses steps (unknown steps, types of expressions, unreachable steps) only `saga validate` knows.
So it must never refuse what the compiler takes; where the two could differ it is the wider one. Each registered
action is named, and its `with` has the schema of its input, in which any value may also be an expression. Camel
case spellings of keys are taken but not offered first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contracts.actions import ActionSpec
from workflows.language.parse import keys as vocabulary
from workflows.language.watching import EVERY_MOMENT, MOMENTS

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_ANY: Schema = {}
_EXPRESSION: Schema = {"type": "string", "pattern": r"\$\{", "description": "An expression: ${ ... }."}
_CONDITION: Schema = {"type": ["string", "boolean"], "description": "A bare CEL expression that is true or false."}
_DURATION: Schema = {
    "type": ["string", "number"],
    "description": "A duration such as 30s, 5m, 1h30m, 2d; a bare number is milliseconds.",
}
_STEP_ID: Schema = {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9-]*$"}
_STEPS: Schema = {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/step"}}
_NAMES: Schema = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]}
_COUNT: Schema = {"type": "integer", "minimum": 1}
_JSON_SCHEMA: Schema = {"type": ["object", "boolean"], "description": "A JSON Schema (2020-12)."}


def _object(properties: Schema, required: tuple[str, ...] = (), description: str = "") -> Schema:
    """An object that takes these keys, in snake case and in camel case, and no other."""
    spelled = properties | {_camel(key): value for key, value in properties.items() if "_" in key}
    schema: Schema = {"type": "object", "properties": spelled, "additionalProperties": False}
    if required:
        schema["required"] = list(required)
    if description:
        schema["description"] = description
    return schema


def _camel(key: str) -> str:
    first, *rest = key.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _choice(*words: str) -> Schema:
    return {"enum": list(words)}


_RETRY = _object(
    {
        "attempts": {"type": "integer", "minimum": 0, "description": "All attempts; 0 = without limit."},
        "backoff": _DURATION,
        "factor": {"type": "number", "minimum": 1},
        "max_backoff": _DURATION,
        "jitter": {"type": "number", "minimum": 0, "maximum": 1},
        "on": _NAMES,
        "not_on": _NAMES,
    },
    description="How often and when the step is tried again.",
)
_HANDLER = _object({"errors": _NAMES, "when": _CONDITION, "next": _TEXT})
_ON_ERROR = {"anyOf": [_TEXT, {"type": "array", "items": _HANDLER}]}
_ACTING: Schema = {
    "retry": {"$ref": "#/$defs/retry"},
    "attempt_timeout": _DURATION,
    "run": _choice("remote", "local"),
    "queue": _TEXT,
    "priority": {"type": "integer", "minimum": 1, "maximum": 5},
    "heartbeat": _DURATION,
}
_UNDO: Schema = {"compensate": {"anyOf": [_TEXT, {"$ref": "#/$defs/compensation"}]}}
_EVERY_STEP: Schema = {
    "id": {**_STEP_ID, "description": "Unique in the definition, in kebab case."},
    "name": {**_TEXT, "description": "For people."},
    "if": {**_CONDITION, "description": "The step is skipped where this is false."},
    "next": {"anyOf": [_TEXT, {"type": "array", "items": _TEXT}], "description": "The step, or steps, that follow."},
    "on_error": {"$ref": "#/$defs/on_error"},
    "timeout": {**_DURATION, "description": "For the whole step, all attempts together."},
}
_APPROVAL: Schema = {
    "title": _TEXT,
    "show": _ANY,
    "approvers": _ANY,
    "quorum": _COUNT,
    "reject_quorum": _COUNT,
    "form": _JSON_SCHEMA,
    "on_timeout": {**_TEXT, "description": "reject, approve, fail, or the id of a step."},
    "remind": _object({"every": _DURATION, "emit": _TEXT}, ("every",)),
    "escalate": _object({"after": _DURATION, "approvers": _ANY}, ("after", "approvers")),
    "on_reject": _TEXT,
}
_CASE = _object({"when": _CONDITION, "next": _TEXT, "steps": _STEPS}, ("when",))
_CATCH = _object({"errors": _NAMES, "when": _CONDITION, "as": _TEXT, "steps": _STEPS}, ("steps",))
_ERROR = _object({"type": _TEXT, "title": _TEXT, "detail": _TEXT, "status": {"type": ["integer", "string"]}}, ("type",))

STEP_KEYS: Mapping[str, Schema] = {
    "action": {"action": {"$ref": "#/$defs/action"}, "with": _ANY, **_ACTING, **_UNDO},
    "decision": {"condition": _CONDITION, "cases": {"type": "array", "items": _CASE}, "else": _ANY},
    "parallel": {
        "join": _TEXT,
        "branches": {"type": "object", "minProperties": 1, "additionalProperties": _STEPS},
        "wait": {"anyOf": [_choice("all", "any"), _COUNT]},
        "on_branch_error": _choice("cancel", "finish"),
    },
    "foreach": {
        "items": _ANY,
        "as": _TEXT,
        "index": _TEXT,
        "concurrency": _COUNT,
        "steps": _STEPS,
        "collect": _ANY,
        "batch": _COUNT,
    },
    "repeat": {
        "while": _CONDITION,
        "until": _CONDITION,
        "steps": _STEPS,
        "max": _COUNT,
        "carry": {"type": "object"},
        "index": _TEXT,
    },
    "approval": _APPROVAL,
    "wait": {"for": _DURATION, "until": {"type": ["string", "number"]}},
    "receive": {
        "event": _TEXT,
        "signal": _TEXT,
        "match": _CONDITION,
        "on_timeout": _TEXT,
        "count": _COUNT,
        "correlate": {"type": "object"},
    },
    "emit": {
        "event": _TEXT,
        "data": _ANY,
        "version": _TEXT,
        "priority": {"type": ["integer", "string"]},
        "key": _TEXT,
        **{key: value for key, value in _ACTING.items() if key != "priority"},
        **_UNDO,
    },
    "workflow": {"workflow": _TEXT, "input": _ANY, "wait": {"type": "boolean"}, "key": _TEXT, **_UNDO},
    "set": {"vars": {"type": "object"}},
    "try": {"steps": _STEPS, "catch": {"type": "array", "items": _CATCH}, "finally": _STEPS},
    "fail": {"error": {"anyOf": [_ERROR, _TEXT]}},
    "end": {"output": _ANY},
}
"""Keys of each step type, besides those that every step has."""


def definition_schema(actions: Mapping[str, ActionSpec]) -> Schema:
    """Return the JSON Schema (2020-12) of a definition that may use `actions`."""
    shared: Schema = {
        "step": _step(actions),
        "action": _action_name(actions),
        "retry": _RETRY,
        "on_error": _ON_ERROR,
        "compensation": _compensation(actions),
        "trigger": _TRIGGER,
    }
    for spec in actions.values():
        shared |= {f"{spec.name}.{name}": _renamed(value, spec.name) for name, value in _definitions(spec).items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Workflow definition",
        **_object(_DEFINITION, ("id", "version", "steps")),
        "$defs": shared,
    }


_EVENT_START = _object({"key": _TEXT, "input": _ANY, "if_running": _choice("ignore", "signal", "terminate", "fail")})
_IF_MISSING = {"anyOf": [_choice("hold", "drop", "dead-letter", "start"), _object({"hold": _DURATION}, ("hold",))]}
_CORRELATE: Schema = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": 10,
    "description": "What the run waits for, by field, as its `receive` step says; instead of `key`.",
}
_TRIGGER = _object(
    {
        "event": {**_TEXT, "description": "Topic pattern: * is one word, # any number of words."},
        "when": _CONDITION,
        "start": {"anyOf": [_EVENT_START, {"type": "null"}]},
        "signal": _object({"key": _TEXT, "correlate": _CORRELATE, "name": _TEXT, "data": _ANY}, ("name",)),
        "cancel": _object({"key": _TEXT}, ("key",)),
        "correlate": _CORRELATE,
        "if_missing": _IF_MISSING,
        "schedule": _object(
            {
                "cron": {**_TEXT, "description": "minute, hour, day of the month, month, day of the week"},
                "timezone": _TEXT,
                "overlap": _choice("skip", "buffer_one", "buffer_all", "cancel_other", "terminate_other", "allow_all"),
                "catch_up": _DURATION,
                "jitter": _DURATION,
                "paused": {"type": "boolean"},
            },
            ("cron",),
        ),
        "input": _ANY,
    }
)
_MOMENT: Schema = _choice(*MOMENTS, EVERY_MOMENT)
_DEFINITION: Schema = {
    "id": {**_STEP_ID, "description": "The Temporal workflow type."},
    "version": {**_TEXT, "description": "Semantic version; a deployed version never changes."},
    "name": _TEXT,
    "description": _TEXT,
    "input": _JSON_SCHEMA,
    "steps": _STEPS,
    "output": {"description": "The run's result."},
    "key": {**_TEXT, "description": "The business key of a run."},
    "timeout": {**_DURATION, "description": "For the run; it is rolled back then."},
    "compensation": {"type": "object", "additionalProperties": _TEXT, "description": "Compensating step of each step."},
    "saga": _object(
        {
            "order": _choice("reverse", "parallel"),
            "retry": {"$ref": "#/$defs/retry"},
            "on": {"type": "array", "items": _choice("failure", "cancel", "timeout")},
        }
    ),
    "triggers": {"type": "array", "items": {"$ref": "#/$defs/trigger"}},
    "rollout": _object(
        {
            "percent": {"type": "number", "minimum": 0, "maximum": 100, "description": "Of the new runs."},
            "sticky_by": {**_TEXT, "description": "What decides: runs with the same value go together."},
        },
        ("percent",),
    ),
    "lifecycle": {
        "anyOf": [_MOMENT, {"type": "array", "items": _MOMENT}],
        "description": "The moments of a run that are published as events workflow.<moment>.",
    },
    "sla": _object(
        {
            "max_duration": {
                **_DURATION,
                "description": "A run that takes longer is told of; it goes on all the same.",
            },
            "on_breach": _choice("emit"),
        },
        ("max_duration",),
        "How long a run may take.",
    ),
    "keep": _object({"succeeded": _DURATION, "failed": _DURATION}),
}


def _step(actions: Mapping[str, ActionSpec]) -> Schema:
    every = dict(_EVERY_STEP)
    for keys in STEP_KEYS.values():
        # A key that means different things in different types is narrowed by `allOf`, once the type is known.
        every |= {key: _ANY if every.get(key, value) != value else value for key, value in keys.items()}
    schema = _object(every | {"type": _choice(*STEP_KEYS)}, ("id",))
    schema["allOf"] = [_for_type(kind, keys) for kind, keys in STEP_KEYS.items()] + _for_actions(actions)
    return schema


def _for_type(kind: str, keys: Schema) -> Schema:
    allowed = _object({**dict.fromkeys(vocabulary.STEPS[kind], _ANY), **keys})
    return {"if": {"properties": {"type": {"const": kind}}, "required": ["type"]}, "then": allowed}


def _for_actions(actions: Mapping[str, ActionSpec]) -> list[Schema]:
    return [
        {
            "if": {"properties": {"action": {"const": spec.name}}, "required": ["action"]},
            "then": {"properties": {"with": _with(spec)}},
        }
        for spec in actions.values()
    ]


def _action_name(actions: Mapping[str, ActionSpec]) -> Schema:
    named = [{"const": spec.name, "description": spec.summary} for spec in actions.values()]
    return {"anyOf": named} if named else _TEXT


def _compensation(actions: Mapping[str, ActionSpec]) -> Schema:
    keys = {"action": {"$ref": "#/$defs/action"}, "with": _ANY, **_ACTING, "timeout": _DURATION}
    schema = _object(keys, ("action",))
    return schema | {"allOf": _for_actions(actions)} if actions else schema


def _with(spec: ActionSpec) -> Schema:
    schema = {key: value for key, value in spec.input_schema.items() if key not in ("$defs", "$schema", "$id")}
    return _templated(_renamed(schema, spec.name))


def _definitions(spec: ActionSpec) -> Schema:
    definitions = spec.input_schema.get("$defs", {})
    return {name: _templated(value) for name, value in definitions.items()}


def _renamed(value: Any, action: str) -> Any:
    """Point the action's own `$defs` at the place where they stand in the whole schema."""
    if isinstance(value, list):
        return [_renamed(item, action) for item in value]
    if not isinstance(value, dict):
        return value
    reference = value.get("$ref")
    renamed = {key: _renamed(item, action) for key, item in value.items()}
    if isinstance(reference, str) and reference.startswith("#/$defs/"):
        renamed["$ref"] = f"#/$defs/{action}.{reference.removeprefix('#/$defs/')}"
    return renamed


def _templated(schema: Any) -> Schema:
    """Let an expression stand wherever the schema wants a value."""
    if not isinstance(schema, dict):
        return {} if schema else {"not": {}}
    described = {key: schema[key] for key in ("title", "description", "default") if key in schema}
    return {**described, "anyOf": [_with_open_parts(schema), _EXPRESSION]}


def _with_open_parts(schema: Schema) -> Schema:
    opened = dict(schema)
    if isinstance(opened.get("properties"), dict):
        opened["properties"] = {name: _templated(value) for name, value in opened["properties"].items()}
    for key in ("items", "additionalProperties"):
        if key in opened:
            opened[key] = _templated(opened[key])
    return opened

"""The canonical form of a plan, which is its identity: JSON with sorted keys, equal bytes in every process."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping

from contracts.json import Json
from workflows.language.expressions.cel import Expression
from workflows.language.expressions.template import Template
from workflows.language.plan import Node, Plan


def sealed(plan: Plan) -> Plan:
    """Return the plan with the digest of its canonical form."""
    return dataclasses.replace(plan, digest=hashlib.sha256(canonical_text(plan).encode()).hexdigest())


def canonical_text(plan: Plan) -> str:
    """Return the canonical form: JSON with sorted keys, equal bytes in every process, without the digest itself."""
    document = plan_to_json(dataclasses.replace(plan, digest=""))
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def plan_to_json(plan: Plan) -> dict[str, Json]:
    """Return the plan as JSON: nodes with their `kind`, expressions in their source form, defaults left out."""
    document = _to_json(plan)
    assert isinstance(document, dict)
    return document


def _to_json(value: object) -> Json:
    match value:
        case Expression():
            return value.text
        case Template():
            return value.value
        case None | bool() | int() | float() | str():
            return value
        case Mapping():
            return {str(key): _to_json(value[key]) for key in sorted(value)}
        case frozenset():
            return [_to_json(item) for item in sorted(value)]
        case tuple() | list():
            return [_to_json(item) for item in value]
    return _dataclass_to_json(value)


def _dataclass_to_json(value: object) -> dict[str, Json]:
    assert dataclasses.is_dataclass(value)
    assert not isinstance(value, type)
    document: dict[str, Json] = {"kind": type(value).__name__.lower()} if isinstance(value, Node) else {}
    for entry in dataclasses.fields(value):
        content = getattr(value, entry.name)
        if content != entry.default:
            document[entry.name] = _to_json(content)
    return document

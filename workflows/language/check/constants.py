"""Checks the constant parts of a value against a JSON Schema, while other parts are still expressions.

The whole value is validated as it stands, expressions as the texts that they are, and every complaint that an
expression could have caused is dropped: one about a text that holds an expression, and one about a value with an
expression in it unless it is about the value's own keys. So a wrong constant beside an expression is found, and
nothing is refused that could be right when it runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jsonschema_rs

from workflows.language.diagnostics import did_you_mean
from workflows.language.expressions.lattice import described
from workflows.language.expressions.types import type_of_schema
from workflows.language.json_schema import validator_of
from workflows.language.tree import Key, Position, Scalar, Table, Tree, find, plain, scalars


@dataclass(frozen=True)
class Complaint:
    """What does not fit; `kind` is `unknown`, `missing` or `value`, `path` leads from the value to the part."""

    kind: str
    path: tuple[Key, ...]
    at: Position
    message: str
    hint: str = ""


def complaints(tree: Tree, schema: Mapping[str, Any]) -> Iterator[Complaint]:
    """Yield what is wrong with the value `tree` for any outcome of its expressions; nothing for an invalid schema."""
    validator = _validator(json.dumps(schema, sort_keys=True))
    if validator is None:
        return
    open_paths = {path for path, scalar in scalars(tree) if holds_expression(scalar)}
    for error in validator.iter_errors(plain(tree)):
        path = tuple(error.instance_path)
        if path in open_paths:
            continue
        by_keys = _by_keys(error, tree, schema, path)
        if by_keys is not None:
            yield from by_keys
        elif not any(other[: len(path)] == path for other in open_paths):
            yield Complaint("value", path, find(tree, path).at, _message(error, schema, path))


@lru_cache(maxsize=256)
def _validator(schema: str) -> jsonschema_rs.Draft202012Validator | None:
    """The validator of a schema (as JSON text), which many steps share; None for one that is invalid."""
    try:
        return validator_of(json.loads(schema))
    except ValueError:
        return None


def holds_expression(scalar: Scalar) -> bool:
    """Tell whether a text may be an expression when it runs."""
    return isinstance(scalar.value, str) and "${" in scalar.value.replace("$${", "")


def subschema(schema: Any, path: tuple[Key, ...], *, resolve_last: bool = True) -> Any:
    """Return the schema of the part at `path`, or None where that takes more than following properties and items.

    `resolve_last` False leaves the part's own reference or alternatives as they are.
    """
    document, here = schema, schema
    for key in path:
        here = _resolved(here, document)
        if not isinstance(here, Mapping):
            return None
        below = here.get("properties", {}).get(key) if isinstance(key, str) else here.get("items")
        here = here.get("additionalProperties") if below is None and isinstance(key, str) else below
    here = _resolved(here, document) if resolve_last else here
    return {**here, "$defs": document.get("$defs", {})} if isinstance(here, Mapping) else None


def _resolved(schema: Any, document: Any) -> Any:
    """Follow references and the one alternative that is not null."""
    while isinstance(schema, Mapping):
        reference = schema.get("$ref")
        others = [option for option in schema.get("anyOf", ()) if option != {"type": "null"}]
        if isinstance(reference, str) and reference.startswith("#/$defs/"):
            schema = document.get("$defs", {}).get(reference.removeprefix("#/$defs/"))
        elif len(others) == 1 and len(schema["anyOf"]) > 1:
            schema = others[0]
        else:
            break
    return schema


def _message(error: jsonschema_rs.ValidationError, schema: Mapping[str, Any], path: tuple[Key, ...]) -> str:
    """The library's words, but for alternatives, of which it does not say what they are."""
    wanted = subschema(schema, path, resolve_last=False)
    if error.kind.name not in ("anyOf", "oneOf") or wanted is None:
        return error.message
    value = json.dumps(error.instance, ensure_ascii=False)
    return f"{value:.60} fits none of what is allowed: {described(type_of_schema(wanted))}"


def _by_keys(
    error: jsonschema_rs.ValidationError, tree: Tree, schema: Mapping[str, Any], path: tuple[Key, ...]
) -> list[Complaint] | None:
    """Complaints about the keys of a table, or None where the error is about something else."""
    part = find(tree, path)
    kind = error.kind.as_dict()
    known = list((subschema(schema, path) or {}).get("properties", {}))
    match error.kind.name:
        case "required":
            name = str(kind["property"])
            return [
                Complaint("missing", (*path, name), part.at, f"{name!r} is missing", _described(schema, (*path, name)))
            ]
        case "additionalProperties":
            return [_unknown(name, part, path, known) for name in kind["unexpected"]]
    return None


def _unknown(name: str, part: Tree, path: tuple[Key, ...], known: list[str]) -> Complaint:
    entry = part.get(name) if isinstance(part, Table) else None
    at = entry.at if entry is not None else part.at
    return Complaint("unknown", (*path, name), at, f"there is no key {name!r}", did_you_mean(name, known))


def _described(schema: Mapping[str, Any], path: tuple[Key, ...]) -> str:
    described = subschema(schema, path)
    return str(described.get("description", "")) if isinstance(described, Mapping) else ""

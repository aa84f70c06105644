"""A JSON Schema as a list of conditions that all hold: `allOf` and `$ref` are dissolved.

Each part is then a plain table of keywords, which rules can look at one by one. References are JSON pointers in the
same document; one that leads anywhere else, or into a part with a name (`$id`) of its own, is not followed, and the
conditions say so. Values are compared as JSON Schema compares them: 1.0 equals 1, and `true` equals nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from bridge.schemas.checking import ASSERTIONS
from contracts.json import Json
from workflows.language.schema_walk import DATA, NAMED_SCHEMAS

Schema = Mapping[str, Any] | bool
Part = Mapping[str, Any]
ATOMS = ("null", "boolean", "integer", "fraction", "string", "array", "object")
"""The kinds of values without overlap: `number` is `integer` or `fraction`."""

_OF_TYPE: Mapping[str, frozenset[str]] = {
    **{name: frozenset({name}) for name in ATOMS if name != "fraction"},
    "number": frozenset({"integer", "fraction"}),
}
_DEFINITIONS = '"#/$defs/'


class Document:
    """A whole schema, within which references are followed."""

    def __init__(self, root: Schema) -> None:
        """Take the schema of a file."""
        self.root = root
        self.definitions = canonical(root.get("$defs", {})) if isinstance(root, Mapping) else "{}"
        inner = (schema for schema in _schemas(root) if schema is not root)
        self._is_plain = not any("$id" in schema for schema in inner)

    def target(self, reference: object) -> Schema | None:
        """Return what a `$ref` names, or None where it is no JSON pointer that leads to a schema of this document."""
        if not isinstance(reference, str) or not self._is_plain or not (reference == "#" or reference[:2] == "#/"):
            return None
        found: Any = self.root
        for key in unquote(reference).split("/")[1:]:
            name = key.replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping):
                found = found.get(name)
            else:
                found = found[int(name)] if isinstance(found, list) and name.isdigit() and int(name) < len(found) else 0
        return found if isinstance(found, Mapping | bool) else None


@dataclass(frozen=True)
class Conditions:
    """Conditions that all hold.

    Attributes:
        parts: Tables of keywords without `$ref` and `allOf`.
        impossible: Nothing fits.
        unresolved: A reference could not be followed; what it says is missing.
    """

    parts: tuple[Part, ...]
    impossible: bool = False
    unresolved: bool = False


def flatten(document: Document, schemas: Iterable[Schema]) -> Conditions:
    """Return the conditions that schemas of a document, which all hold, consist of."""
    left, followed = list(schemas), set[str]()
    parts: dict[str, Part] = {}
    impossible = unresolved = False
    while left:
        schema = left.pop(0)
        if isinstance(schema, bool):
            impossible = impossible or not schema
            continue
        left += schema.get("allOf", ())
        reference = schema.get("$ref")
        target = document.target(reference)
        unresolved = unresolved or "$dynamicRef" in schema or (reference is not None and target is None)
        if target is not None and str(reference) not in followed:
            followed.add(str(reference))
            left.append(target)
        part = {key: schema[key] for key in schema if key in ASSERTIONS and key not in ("$ref", "$dynamicRef", "allOf")}
        if part:
            parts[canonical(part)] = part
    return Conditions(tuple(parts.values()), impossible, unresolved)


def atoms_of(part: Part) -> frozenset[str]:
    """Return the kinds of values that a part allows."""
    types = part.get("type", [*_OF_TYPE])
    names = [types] if isinstance(types, str) else types
    allowed = frozenset(atom for name in names for atom in _OF_TYPE[name])
    if "const" in part or "enum" in part:
        allowed &= {atom_of(value) for value in listed(part)}
    return allowed


def atom_of(value: Json) -> str:
    """Return the kind of a value; 1.0 is an integer, as in JSON Schema."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "integer" if isinstance(value, int) or value.is_integer() else "fraction"
        case str():
            return "string"
        case list():
            return "array"
    return "object"


def canonical(value: Any) -> str:
    """Return JSON in a form that is the same for equal values, where 1.0 equals 1 and `true` does not."""
    return json.dumps(_normal(value), sort_keys=True)


def is_portable(text: str, one: Document, other: Document) -> bool:
    """Tell whether a canonical schema means the same in both documents: its references lead to equal definitions."""
    references = text.count('"$ref"') + text.count('"$dynamicRef"')
    return references == 0 or (references == text.count(_DEFINITIONS) and one.definitions == other.definitions)


def listed(part: Part) -> Sequence[Json]:
    """Return the values of a part's `const` and `enum`, of which it has at least one."""
    both = [*([[part["const"]]] if "const" in part else []), *([part["enum"]] if "enum" in part else [])]
    last = {canonical(value) for value in both[-1]}
    return [value for value in both[0] if canonical(value) in last]


def _normal(value: Any) -> Any:
    match value:
        case float() if value.is_integer():
            return int(value)
        case Mapping():
            return {key: _normal(child) for key, child in value.items()}
        case list() | tuple():
            return [_normal(child) for child in value]
    return value


def _schemas(schema: Any) -> Iterator[Part]:
    """Yield every schema that is a table, the outermost first."""
    if isinstance(schema, list):
        for item in schema:
            yield from _schemas(item)
    if not isinstance(schema, Mapping):
        return
    yield schema
    for key, value in schema.items():
        if key in NAMED_SCHEMAS and isinstance(value, Mapping):
            yield from _schemas(list(value.values()))
        elif key not in DATA:
            yield from _schemas(value)

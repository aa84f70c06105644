"""The usual form of a definition file: keys of the language in snake case, a line break at the end.

Edited in place, key by key, so comments, order and layout stay as the author chose them. Which keys are the
language's says its JSON Schema, walked along the file: what stands in `with`, `data` or an input schema is data and
is never touched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workflows.language.schema import definition_schema
from workflows.language.source import read_source
from workflows.language.tree import Items, Position, Scalar, Table, Tree

Schema = Mapping[str, Any]
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True)
class _Rename:
    at: Position
    old: str
    new: str


def formatted(file: str, text: str) -> str | None:
    """Return a definition's text in the usual form, or None: it cannot be read (`saga validate` says why)."""
    tree = read_source(file, text).tree
    if tree is None:
        return None
    schema = definition_schema({})
    lines = text.split("\n")
    for rename in sorted(_renames(tree, schema, schema), key=lambda each: (each.at.line, each.at.column), reverse=True):
        lines[rename.at.line - 1] = _renamed(lines[rename.at.line - 1], rename)
    return "\n".join(lines).rstrip("\n") + "\n" if lines[-1] else "\n".join(lines)


def _renamed(line: str, rename: _Rename) -> str:
    start, end = rename.at.column - 1, rename.at.end_column - 1
    return line[:start] + line[start:end].replace(rename.old, rename.new, 1) + line[end:]


def _renames(tree: Tree, schema: Schema, root: Schema) -> Iterator[_Rename]:
    branches = list(_branches(schema, root))
    match tree:
        case Items():
            for branch in branches:
                for item in tree.items:
                    yield from _renames(item, branch.get("items", {}), root)
        case Table():
            for entry in tree.entries:
                new = _snake(entry.key)
                if new != entry.key and any({new, entry.key} <= set(_properties(branch)) for branch in branches):
                    yield _Rename(entry.at, entry.key, new)
                for branch in branches:
                    yield from _renames(entry.value, _below(branch, entry.key), root)
        case Scalar():
            return


def _branches(schema: Schema, root: Schema) -> Iterator[Schema]:
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        for branch in schema["anyOf"]:
            yield from _branches(branch, root)
    else:
        yield schema


def _properties(schema: Schema) -> Schema:
    properties: Schema = schema.get("properties", {})
    return properties


def _below(schema: Schema, key: str) -> Schema:
    other = schema.get("additionalProperties")
    below: Schema = _properties(schema).get(key, other if isinstance(other, dict) else {})
    return below


def _snake(key: str) -> str:
    return _WORD.sub("_", key).lower()

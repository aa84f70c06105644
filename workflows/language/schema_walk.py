"""A walk through a JSON Schema as its author wrote it, for whoever complains about it with positions.

What looks like a schema may be data: an `enum` can hold anything. So the walk knows which keywords hold schemas, which
hold tables of them by name, and which hold neither.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from workflows.language.tree import Entry, Items, Table, Tree

NAMED_SCHEMAS: Final = frozenset({"$defs", "definitions", "properties", "patternProperties", "dependentSchemas"})
"""Keywords whose value is a table of schemas by name."""

DATA: Final = frozenset({"const", "enum", "default", "examples", "required", "dependentRequired"})
"""Keywords whose value is no schema, whatever it looks like."""


def keywords(tree: Tree) -> Iterator[Entry]:
    """Yield every keyword of a schema and of the schemas inside it; not what is data in it."""
    if isinstance(tree, Items):
        for item in tree.items:
            yield from keywords(item)
    if not isinstance(tree, Table):
        return
    for entry in tree.entries:
        yield entry
        if entry.key in NAMED_SCHEMAS and isinstance(entry.value, Table):
            for named in entry.value.entries:
                yield from keywords(named.value)
        elif entry.key not in DATA:
            yield from keywords(entry.value)

"""Runs the checks on a text, and writes what they find in a form that a table of expectations can hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from textwrap import dedent

from contracts.actions import ActionSpec
from workflows.language.check.rules import check_definition
from workflows.language.diagnostics import Diagnostic
from workflows.language.nodes import Definition
from workflows.language.parse.definition import parse
from workflows.language.source import read_source

_QUOTE = {
    "type": "object",
    "properties": {
        "sku": {"type": "string", "description": "What is sold."},
        "count": {"type": "integer", "minimum": 1},
        "tags": {"type": "array", "items": {"type": "string"}},
        "buyer": {"$ref": "#/$defs/Buyer"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
    "required": ["sku"],
    "additionalProperties": False,
    "$defs": {
        "Buyer": {
            "type": "object",
            "properties": {"name": {"type": "string"}},
            "required": ["name"],
            "additionalProperties": False,
        }
    },
}
_PRICE = {
    "type": "object",
    "properties": {"total": {"type": "number"}, "lines": {"type": "array", "items": {"type": "string"}}},
    "required": ["total"],
}

ACTIONS = {
    spec.name: spec
    for spec in (
        ActionSpec("shop.quote", input_schema=_QUOTE, output_schema=_PRICE),
        ActionSpec("shop.pay"),
        ActionSpec("shop.refund"),
        ActionSpec("shop.look", local=True),
    )
}


@dataclass(frozen=True)
class Case:
    """A row of a table: steps (the first in line 1), the rest of the definition, and what is found in it."""

    name: str
    steps: str
    head: str = ""
    found: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


def definition_of(text: str, file: str = "x.yaml") -> Definition:
    """Return the nodes of a definition, which must be right in its shape."""
    source = read_source(file, dedent(text))
    definition, diagnostics = parse(source)
    assert source.diagnostics == ()
    assert diagnostics == ()
    assert definition is not None
    return definition


def found_in(text: str) -> list[str]:
    """Return the findings of a whole definition, each as `line:column code: message | hint`."""
    return [written(diagnostic) for diagnostic in check_definition(definition_of(text), ACTIONS)]


def found_in_steps(steps: str, head: str = "") -> list[str]:
    """Return the findings of a definition with these steps, the first of which is in line 1, as `found_in` does."""
    text = text_of(steps, head)
    return [written(diagnostic, shift=1) for diagnostic in check_definition(definition_of(text), ACTIONS)]


def text_of(steps: str, head: str = "") -> str:
    """Return a definition with these steps."""
    return f"steps:\n{dedent(steps).strip()}\n{dedent(head).strip()}\nid: x\nversion: 1.0.0\n"


def written(diagnostic: Diagnostic, shift: int = 0) -> str:
    """Return a finding as one line of text."""
    kind = "" if diagnostic.severity == "error" else "warning "
    hint = f" | {diagnostic.hint}" if diagnostic.hint else ""
    place = f"{diagnostic.line - shift}:{diagnostic.column}"
    return f"{place} {kind}{diagnostic.code}: {diagnostic.message}{hint}"

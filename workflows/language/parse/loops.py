"""Steps that repeat their steps: foreach, repeat."""

from __future__ import annotations

from workflows.language.nodes import Foreach, Located, Repeat
from workflows.language.parse.fields import Fields
from workflows.language.parse.reading import Reading
from workflows.language.tree import Scalar, Tree

MOST_AT_ONCE = 1_000
MOST_ROUNDS = 1_000_000
_BOUND = "a loop needs a bound, so that a mistake in its condition cannot run for ever"


def read_foreach(reading: Reading) -> Foreach:
    """Read a foreach step."""
    fields = reading.fields
    return Foreach(
        **reading.common,
        next=reading.single_next(),
        items=_needed_tree(fields, "items"),
        steps=reading.body("steps"),
        item=fields.variable("as"),
        index=fields.variable("index"),
        concurrency=fields.integer("concurrency", 1, MOST_AT_ONCE),
        collect=fields.tree("collect"),
        batch=fields.integer("batch", 1, MOST_ROUNDS),
    )


def read_repeat(reading: Reading) -> Repeat:
    """Read a repeat step."""
    fields = reading.fields
    if not fields.has("while") and not fields.has("until"):
        fields.missing("'while' or 'until'")
    if not fields.has("max"):
        fields.error(fields.at, "unbounded-loop", f"{fields.what} needs 'max'", _BOUND)
    return Repeat(
        **reading.common,
        next=reading.single_next(),
        steps=reading.body("steps"),
        max=fields.integer("max", 1, MOST_ROUNDS) or Located(1, fields.place("max")),
        before=fields.condition("while"),
        after=fields.condition("until"),
        carry=fields.table_of("carry"),
        index=fields.variable("index"),
    )


def _needed_tree(fields: Fields, name: str) -> Tree:
    fields.need(name)
    return fields.tree(name) or Scalar(None, fields.at)

"""`on_error`: a step id, `continue`, or a list of arms."""

from __future__ import annotations

from workflows.language.nodes import Handler, Text
from workflows.language.parse.fields import Fields, tables
from workflows.language.parse.keys import HANDLER
from workflows.language.tree import Items

CONTINUE = "continue"


def handlers_of(fields: Fields) -> tuple[Handler, ...]:
    """Read `on_error`."""
    value = fields.tree("on_error")
    if value is None:
        return ()
    if isinstance(value, Items):
        return tuple(_arm(keys) for keys in tables(value.items, "an arm of on_error", HANDLER, fields.diagnostics))
    target = fields.text("on_error")
    return () if target is None else (Handler(target.at, next=_step(target)),)


def _arm(keys: Fields) -> Handler:
    target = keys.needed_text("next")
    return Handler(keys.at, keys.texts("errors"), keys.condition("when"), _step(target))


def _step(target: Text) -> Text | None:
    return None if target.value == CONTINUE else target

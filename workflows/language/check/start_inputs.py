"""What a trigger gives to a run as its input fits the definition's input schema, as far as it is constant.

A schedule without `input` starts its runs with `{}`; if the schema asks for more, every one of them would fail.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workflows.language import nodes
from workflows.language.check.constants import complaints
from workflows.language.check.context import Context, Rule
from workflows.language.tree import Position, Table, Tree, plain


def _check(context: Context) -> None:
    tree = context.definition.input
    schema = plain(tree) if tree is not None else None
    if not isinstance(schema, dict):
        return
    for trigger in context.definition.triggers:
        if isinstance(trigger, nodes.ScheduleTrigger):
            _fits(context, trigger.input or Table((), trigger.at), schema, trigger.at)
        elif isinstance(trigger.does, nodes.Start) and trigger.does.input is not None:
            _fits(context, trigger.does.input, schema, trigger.does.at)


def _fits(context: Context, tree: Tree, schema: Mapping[str, Any], at: Position) -> None:
    for found in complaints(tree, schema):
        where = ".".join(map(str, ("input", *(found.path if found.kind == "value" else found.path[:-1]))))
        message = f"the runs of this trigger would be refused: `{where}`: {found.message}"
        context.report.error(found.at if isinstance(tree, Table) else at, "bad-start-input", message, found.hint)


RULE = Rule(_check, {"bad-start-input": "A trigger starts runs with an input that the input schema refuses."})

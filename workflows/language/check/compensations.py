"""Compensations: what is undone has an effect, and what undoes it is one action.

`compensate` and the top-level `compensation` map may name a step; its action and arguments are taken, its place in
the flow is not.
"""

from __future__ import annotations

from workflows.language import nodes
from workflows.language.check.context import Context, Rule
from workflows.language.check.ways import undo_of


def _check(context: Context) -> None:
    for step in context.steps:
        undo = undo_of(step)
        if undo is not None and undo.step is not None:
            _pair(context, step.id, undo.step)
    for entry in context.definition.compensation:
        _pair(context, entry.step, entry.undo)
        _undoable(context, entry.step)


def _pair(context: Context, step: nodes.Text, undo: nodes.Text) -> None:
    if undo.value == step.value:
        context.report.error(undo.at, "bad-compensation", f"the step {step.value!r} compensates itself")
    compensating = context.by_id.get(undo.value)
    if compensating is not None and not isinstance(compensating, nodes.Action | nodes.Emit):
        message = f"the step {undo.value!r} is no action, so it cannot compensate {step.value!r}"
        context.report.error(undo.at, "bad-compensation", message, "name a step with `action`, or write {action, with}")


def _undoable(context: Context, text: nodes.Text) -> None:
    step = context.by_id.get(text.value)
    if step is None:
        return
    if not isinstance(step, nodes.Action | nodes.Emit | nodes.Workflow):
        message = f"the step {text.value!r} carries out no action, so there is nothing to compensate"
        context.report.error(text.at, "bad-compensation", message, "name the action steps inside it")
    elif undo_of(step) is not None:
        message = f"the step {text.value!r} has a compensation already: its own `compensate`"
        context.report.error(text.at, "bad-compensation", message, "remove one of the two")


RULE = Rule(_check, {"bad-compensation": "A compensation undoes nothing, or is not one action."})

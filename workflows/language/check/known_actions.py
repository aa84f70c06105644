"""Every action that a step or a compensation names is registered."""

from __future__ import annotations

from workflows.language import nodes
from workflows.language.check.context import Context, Rule
from workflows.language.check.ways import undo_of
from workflows.language.diagnostics import did_you_mean

_PLUGIN = "plugin/"


def _check(context: Context) -> None:
    for step in context.steps:
        if isinstance(step, nodes.Action):
            _known(context, step.action)
        undo = undo_of(step)
        if undo is not None and undo.action is not None:
            _known(context, undo.action)


def _known(context: Context, action: nodes.Text) -> None:
    if action.value in context.actions:
        return
    if action.value.startswith(_PLUGIN):
        message = f"{action.value!r} is a plugin's action, and this version loads no plugins"
        context.report.error(action.at, "plugin-action", message, "use a registered action")
        return
    hint = did_you_mean(action.value, context.actions)
    context.report.error(action.at, "unknown-action", f"there is no action {action.value!r}", hint)


RULE = Rule(
    _check,
    {
        "unknown-action": "A step names an action that is not registered.",
        "plugin-action": "A step names a plugin's action; this version loads no plugins.",
    },
)

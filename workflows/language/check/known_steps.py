"""Every step that another one names exists, and stands where it may be named.

`next`, the ways of a decision, `join`, `on_error`, `on_reject` and `on_timeout` lead from step to step inside one
list: a jump into a block or out of it would start or leave its body in the middle. A compensation takes only the
action of the step that it names, so that step may stand anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable

from workflows.language import nodes
from workflows.language.check.context import Context, Rule
from workflows.language.check.ways import undo_of, ways_on, ways_out, words_at
from workflows.language.diagnostics import did_you_mean


def _check(context: Context) -> None:
    for number, step in enumerate(context.steps):
        siblings = context.flow.places[number].siblings
        for text in (*ways_on(step), *ways_out(step)):
            if text.value not in siblings:
                _missing(context, text, siblings.keys() - {step.id.value} | words_at(step, text))
        undo = undo_of(step)
        if undo is not None and undo.step is not None:
            _anywhere(context, undo.step)
    for entry in context.definition.compensation:
        _anywhere(context, entry.step)
        _anywhere(context, entry.undo)


def _missing(context: Context, text: nodes.Text, near: Iterable[str]) -> None:
    if context.report.is_full:
        return
    if text.value not in context.by_id:
        context.report.error(
            text.at, "unknown-step", f"there is no step {text.value!r}", did_you_mean(text.value, near)
        )
        return
    message = f"the step {text.value!r} stands in another list of steps; a path cannot jump into a block or out of it"
    hint = "name a step of the same list; a block goes on by itself when its body has ended"
    context.report.error(text.at, "step-in-other-list", message, hint)


def _anywhere(context: Context, text: nodes.Text) -> None:
    if text.value not in context.by_id and not context.report.is_full:
        hint = did_you_mean(text.value, context.by_id)
        context.report.error(text.at, "unknown-step", f"there is no step {text.value!r}", hint)


RULE = Rule(
    _check,
    {
        "unknown-step": "A step is named that does not exist.",
        "step-in-other-list": "A step names a step inside or outside its block as the next one.",
    },
)

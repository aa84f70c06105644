"""Arms of `on_error` and `catch`: each can be taken.

Arms are tried in order, so one behind an arm that takes everything is dead. A `try` without `catch` and `finally`
is just its steps.
"""

from __future__ import annotations

from collections.abc import Sequence

from workflows.language import nodes
from workflows.language.check.context import Context, Rule

Arm = nodes.Handler | nodes.Catch


def _check(context: Context) -> None:
    for step in context.steps:
        _dead_arms(context, step.handlers)
        if isinstance(step, nodes.Try):
            _dead_arms(context, step.catches)
            if not step.catches and not step.final:
                message = f"the `try` of {step.id.value!r} has neither `catch` nor `finally`"
                context.report.warning(step.id.at, "no-effect", message, "add one, or leave the `try` out")


def _dead_arms(context: Context, arms: Sequence[Arm]) -> None:
    taken: set[str] = set()
    everything = False
    for arm in arms:
        errors = {text.value for text in arm.errors}
        if everything or (errors and errors <= taken):
            message = "this arm is never taken: the arms before it take all that it would"
            context.report.warning(arm.at, "dead-arm", message, "put it before them, or remove it")
        if arm.when is None:
            taken |= errors
            everything = everything or not errors


RULE = Rule(
    _check,
    {
        "dead-arm": "An arm of `on_error` or `catch` is never taken (warning).",
    },
)

"""In a foreach with `batch` nobody is waited for: no signal to the run reaches the child runs of its items."""

from __future__ import annotations

from workflows.language import nodes
from workflows.language.check.context import Context, Rule


def _check(context: Context) -> None:
    for step in context.steps:
        if isinstance(step, nodes.Foreach) and step.batch is not None:
            for inner in nodes.walk(step.steps):
                if isinstance(inner, nodes.Approval | nodes.Receive):
                    _waits(context, step, inner)


def _waits(context: Context, loop: nodes.Foreach, step: nodes.Approval | nodes.Receive) -> None:
    what = "approval" if isinstance(step, nodes.Approval) else "receive"
    message = (
        f"{step.id.value!r} waits for what cannot reach it: the batches of {loop.id.value!r} are runs of their own"
    )
    hint = f"remove `batch`, or let the step of the loop be a `workflow` whose definition has the {what}"
    context.report.error(step.id.at, "waits-in-batch", message, hint)


RULE = Rule(_check, {"waits-in-batch": "An approval or a receive inside a foreach with `batch`."})

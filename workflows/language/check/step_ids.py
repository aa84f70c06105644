"""Each step has an id of its own.

An id becomes part of activity ids, of idempotency keys and of expressions, where its hyphens are underscores; so
two ids that differ only in that would be one.
"""

from __future__ import annotations

from workflows.language import nodes
from workflows.language.check.context import Context, Rule


def _check(context: Context) -> None:
    first: dict[str, nodes.Text] = {}
    for step in context.steps:
        if not step.id.value:
            continue
        earlier = first.setdefault(step.id.value.replace("-", "_"), step.id)
        if earlier is not step.id:
            _clash(context, step.id, earlier)


def _clash(context: Context, text: nodes.Text, earlier: nodes.Text) -> None:
    if text.value == earlier.value:
        message = f"there are two steps with the id {text.value!r}; the first is in line {earlier.at.line}"
        context.report.error(text.at, "duplicate-step-id", message, "give each step an id of its own")
        return
    name = text.value.replace("-", "_")
    message = f"{text.value!r} and {earlier.value!r} (line {earlier.at.line}) are both `steps.{name}` in expressions"
    context.report.error(text.at, "ambiguous-step-id", message, "rename one of them")


RULE = Rule(
    _check,
    {
        "duplicate-step-id": "Two steps have the same id.",
        "ambiguous-step-id": "Two step ids differ only in hyphens and underscores.",
    },
)

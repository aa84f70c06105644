"""What a rollout is sticky by is there when the version is chosen: the run's key, or its input."""

from __future__ import annotations

from workflows.language.check.context import Context, Rule
from workflows.language.check.places import STICKY_BY
from workflows.language.expressions.cel import Expression
from workflows.language.expressions.model import Reference
from workflows.language.nodes import Condition


def _check(context: Context) -> None:
    for found in context.compiled:
        source, subject = found.place.subject, found.subject
        if found.place.what == STICKY_BY and isinstance(subject, Expression) and isinstance(source, Condition):
            for reference in subject.references:
                if reference.root == "run" and reference.path[:1] != ("key",):
                    _report(context, source, reference)
            if not subject.references:
                context.report.error(source.at, "bad-value", "it is the same for every run", "such as run.key")


def _report(context: Context, source: Condition, reference: Reference) -> None:
    at = source.source.within(reference.offset, len("run"))
    name = ".".join(("run", *reference.path))
    context.report.error(at, "not-in-scope", f"`{name}` has no value here", "only `run.key` is known before the run")


RULE = Rule(_check)

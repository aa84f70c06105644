"""Retries make sense, and problem types are not misspelt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from contracts.problems import ROLLBACK_INCOMPLETE, STANDARD_TYPES
from workflows.language import nodes
from workflows.language.check.context import Context, Rule, acting_parts
from workflows.language.diagnostics import suggestion
from workflows.language.tree import Position, Scalar, Table

_SHORTEST_GUESS = 4


def _check(context: Context) -> None:
    retries = [part.retry for step in context.steps for part in acting_parts(step)]
    if context.definition.saga is not None:
        retries.append(context.definition.saga.retry)
    for retry in retries:
        if retry is not None:
            _delays(context, retry)
            _types_once(context, retry)
    _spelling(context, _named_types(context, [retry for retry in retries if retry is not None]))


def _delays(context: Context, retry: nodes.Retry) -> None:
    if retry.backoff is None or retry.max_backoff is None:
        return
    if retry.max_backoff.value < retry.backoff.value:
        _bad(context, retry.max_backoff.at, "`max_backoff` is shorter than `backoff`", "the longest delay comes last")


def _types_once(context: Context, retry: nodes.Retry) -> None:
    retried = {text.value for text in retry.on}
    for text in retry.not_on:
        if text.value in retried:
            message = f"{text.value!r} stands in `on` and in `not_on`"
            _bad(context, text.at, message, "`on` alone retries only its types; `not_on` all but its types")


def _bad(context: Context, at: Position, message: str, hint: str) -> None:
    context.report.error(at, "bad-retry", message, hint)


def _named_types(context: Context, retries: Iterable[nodes.Retry]) -> Iterator[nodes.Text]:
    for retry in retries:
        yield from (*retry.on, *retry.not_on)
    for step in context.steps:
        for handler in step.handlers:
            yield from handler.errors
        if isinstance(step, nodes.Try):
            for catch in step.catches:
                yield from catch.errors


def _spelling(context: Context, types: Iterable[nodes.Text]) -> None:
    raised = {*STANDARD_TYPES, ROLLBACK_INCOMPLETE, *_raised(context)}
    for text in types:
        near = (
            suggestion(text.value, raised) if text.value not in raised and len(text.value) > _SHORTEST_GUESS else None
        )
        if near is not None:
            message = f"{text.value!r} is no standard problem type, nor raised here"
            context.report.warning(text.at, "unusual-problem-type", message, f"did you mean {near!r}?")


def _raised(context: Context) -> Iterator[str]:
    for step in context.steps:
        entry = step.error.get("type") if isinstance(step, nodes.Fail) and isinstance(step.error, Table) else None
        if entry is not None and isinstance(entry.value, Scalar):
            yield str(entry.value.value)


RULE = Rule(
    _check,
    {
        "bad-retry": "A retry's numbers or types make no sense.",
        "unusual-problem-type": "A problem type looks like a misspelt standard one (warning).",
    },
)

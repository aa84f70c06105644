"""Durations are not at odds with each other.

A time-out that another one makes meaningless is a warning: the definition runs, but not as its author thinks.
"""

from __future__ import annotations

from workflows.language import nodes
from workflows.language.check.context import Context, Rule, acting_parts
from workflows.language.durations import parse_duration
from workflows.language.tree import Scalar, Tree

_LONGEST_LOCAL_SECONDS = 10.0


def _check(context: Context) -> None:
    for step in context.steps:
        _constant_wait(context, step)
        _order(context, step)
        _waiting(context, step)
        if isinstance(step, nodes.Action):
            _local(context, step.action, step.acting)


def _constant_wait(context: Context, step: nodes.AnyStep) -> None:
    if not isinstance(step, nodes.Wait) or not isinstance(step.duration, Scalar) or _is_template(step.duration):
        return
    try:
        parse_duration(step.duration.value)
    except ValueError as error:
        context.report.error(step.duration.at, "bad-duration", str(error), "such as 30s, 5m, 1h")


def _is_template(tree: Tree) -> bool:
    return isinstance(tree, Scalar) and isinstance(tree.value, str) and "${" in tree.value


def _order(context: Context, step: nodes.AnyStep) -> None:
    for acting in acting_parts(step):
        whole = acting.timeout or step.timeout
        attempt = acting.attempt_timeout
        if attempt is not None and whole is not None and attempt.value > whole.value:
            _warn(context, attempt, "`attempt_timeout` is longer than `timeout`, so no attempt can last that long")
        if attempt is not None and acting.heartbeat is not None and acting.heartbeat.value > attempt.value:
            _warn(context, acting.heartbeat, "`heartbeat` is longer than `attempt_timeout`, so it is never missed")


def _local(context: Context, action: nodes.Text, acting: nodes.Acting) -> None:
    spec = context.actions.get(action.value)
    local = acting.run.value == "local" if acting.run is not None else spec is not None and spec.local
    if not local:
        return
    if acting.heartbeat is not None:
        _warn(context, acting.heartbeat, "a local step sends no heartbeats", "use `run: remote`")
    if acting.queue is not None:
        context.report.warning(
            acting.queue.at,
            "no-effect",
            "a local step runs in its own worker, so `queue` has no effect",
            "use `run: remote`",
        )
    if acting.attempt_timeout is not None and acting.attempt_timeout.value > _LONGEST_LOCAL_SECONDS:
        message = f"an attempt of more than {_LONGEST_LOCAL_SECONDS:.0f} s holds up the whole run in a local step"
        _warn(context, acting.attempt_timeout, message, "use `run: remote`")


def _waiting(context: Context, step: nodes.AnyStep) -> None:
    if not isinstance(step, nodes.Approval | nodes.Receive):
        return
    if step.timeout is None:
        if step.on_timeout is not None:
            message = "`on_timeout` has no effect without `timeout`"
            context.report.warning(step.on_timeout.at, "no-effect", message, "add `timeout`, such as 72h")
        return
    if not isinstance(step, nodes.Approval):
        return
    if step.escalate is not None and step.escalate.after.value >= step.timeout.value:
        _warn(context, step.escalate.after, "the approval times out before it escalates", "make `after` shorter")
    if step.remind is not None and step.remind.every.value >= step.timeout.value:
        _warn(context, step.remind.every, "the approval times out before the first reminder", "make `every` shorter")


def _warn(context: Context, duration: nodes.Seconds, message: str, hint: str = "") -> None:
    context.report.warning(duration.at, "odd-timeout", message, hint)


RULE = Rule(
    _check,
    {
        "bad-duration": "A duration cannot be read.",
        "odd-timeout": "A time-out has no effect beside another one, or does not fit a local step (warning).",
        "no-effect": "A key has no effect here (warning).",
    },
)

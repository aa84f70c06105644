"""How an action is carried out: its retry rules and its place, with their defaults, and what undoes a step.

A compensation takes its retry from the step or `compensate` that writes one, else from `saga`, else the product's own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contracts.actions import ActionSpec
from contracts.names import ACTION_PUBLISH
from workflows.language import nodes
from workflows.language.expressions.template import Template, compile_template
from workflows.language.lower.compiling import Names, optional_template
from workflows.language.plan import Execution, Retry, Undo
from workflows.language.tree import Tree, plain

_DEFAULT_EXECUTION = Execution()


@dataclass(frozen=True, slots=True)
class Compensations:
    """What undoes which step.

    Attributes:
        steps: Every step by id, for those that are named as a compensation.
        by_step: Id of the compensating step, from the top-level `compensation`.
        retry: The retry of compensations that have none of their own.
    """

    steps: Mapping[str, nodes.AnyStep]
    by_step: Mapping[str, str]
    retry: Retry


def retry_of(written: nodes.Retry | None, default: Retry) -> Retry:
    """Return the retry rules; what was not written is as in `default`, a longer first delay lifts the longest."""
    if written is None:
        return default
    given: dict[str, Any] = {
        name: located.value
        for name in ("attempts", "backoff", "factor", "max_backoff", "jitter")
        if (located := getattr(written, name)) is not None
    }
    on = tuple(text.value for text in written.on)
    not_on = tuple(text.value for text in written.not_on)
    retry = dataclasses.replace(default, **given, on=on, not_on=not_on)
    return dataclasses.replace(retry, max_backoff=max(retry.max_backoff, retry.backoff))


def execution_of(acting: nodes.Acting, spec: ActionSpec | None, retry: Retry) -> Execution:
    """Return where and how an activity runs; `retry` is the default, `spec` None = a plugin's action."""
    local = spec is not None and spec.local
    attempt_timeout = spec.attempt_timeout if spec is not None else _DEFAULT_EXECUTION.attempt_timeout
    return Execution(
        local=acting.run.value == "local" if acting.run else local,
        attempt_timeout=acting.attempt_timeout.value if acting.attempt_timeout else attempt_timeout,
        timeout=acting.timeout.value if acting.timeout else None,
        heartbeat=acting.heartbeat.value if acting.heartbeat else None,
        queue=acting.queue.value if acting.queue else None,
        priority=acting.priority.value if acting.priority else None,
        retry=retry_of(acting.retry, retry),
    )


def undo_of(
    step: nodes.AnyStep, compensations: Compensations, actions: Mapping[str, ActionSpec], names: Names
) -> Undo | None:
    """Return what undoes `step`; its arguments see what `step` sees."""
    written = step.compensate if isinstance(step, nodes.Action | nodes.Emit | nodes.Workflow) else None
    if written is not None and written.action is not None:
        execution = execution_of(written.acting, actions.get(written.action.value), compensations.retry)
        return Undo(written.action.value, optional_template(written.args, names), execution)
    named = written.step.value if written is not None and written.step is not None else None
    named = named or compensations.by_step.get(step.id.value)
    return None if named is None else _undo_by(compensations.steps[named], compensations.retry, actions, names)


def _undo_by(step: nodes.AnyStep, retry: Retry, actions: Mapping[str, ActionSpec], names: Names) -> Undo:
    match step:
        case nodes.Action():
            execution = execution_of(step.acting, actions.get(step.action.value), retry)
            return Undo(step.action.value, optional_template(step.args, names), execution, step.id.value)
        case nodes.Emit():
            execution = execution_of(step.acting, actions.get(ACTION_PUBLISH), retry)
            return Undo(ACTION_PUBLISH, publication(step, names), execution, step.id.value)
    raise AssertionError(f"the check let {step.id.value!r} pass as a compensation")


def publication(step: nodes.Emit, names: Names) -> Template:
    """Return the arguments with which `event.publish` publishes what an emit step says."""
    given: dict[str, Tree | None] = {
        "event_type": step.event,
        "data": step.data,
        "event_version": step.version,
        "priority": step.event_priority,
        "key": step.key,
    }
    written = {name: plain(tree) for name, tree in given.items() if tree is not None}
    return compile_template({"data": {}} | written, names)

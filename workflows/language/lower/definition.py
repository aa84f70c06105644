"""The whole definition: its plan, sealed with its digest, and its triggers."""

from __future__ import annotations

from collections.abc import Mapping

from contracts.actions import ActionSpec
from workflows.language import nodes
from workflows.language.canonical import sealed
from workflows.language.check.ways import failure_targets
from workflows.language.lower.acting import Compensations, retry_of
from workflows.language.lower.compiling import NO_NAMES, optional_expression, optional_template
from workflows.language.lower.steps import StepLowering
from workflows.language.lower.triggers import lower_trigger
from workflows.language.plan import COMPENSATION_RETRY, Plan, SagaPolicy
from workflows.language.rollout import ALL, Rollout
from workflows.language.tree import plain
from workflows.language.triggers import Definition, Keep
from workflows.language.watching import Sla


def lower(definition: nodes.Definition, actions: Mapping[str, ActionSpec]) -> Definition:
    """Return the compiled definition.

    Args:
        definition: As written; it must have passed every check.
        actions: Registered actions by name, for what they say of where they run and how long.
    """
    steps = StepLowering(actions, _compensations(definition), failure_targets(definition))
    entry = steps.body(definition.steps, None, NO_NAMES)
    plan = Plan(
        id=definition.id.value,
        version=definition.version.value,
        name=definition.name.value if definition.name else definition.id.value,
        nodes=steps.nodes,
        entry=entry,
        input_schema=plain(definition.input) if definition.input is not None else None,
        output=optional_template(definition.output, NO_NAMES),
        key=optional_template(definition.key, NO_NAMES),
        timeout=definition.timeout.value if definition.timeout else None,
        saga=_policy(definition.saga),
        signals=_signals(definition.steps),
        description=definition.description.value if definition.description else "",
    )
    triggers = tuple(lower_trigger(trigger) for trigger in definition.triggers)
    return Definition(
        sealed(plan),
        triggers,
        definition.file,
        _rollout(definition.rollout),
        definition.lifecycle,
        _sla(definition.sla),
        _keep(definition.keep),
    )


def _rollout(rollout: nodes.Rollout | None) -> Rollout | None:
    if rollout is None:
        return None
    percent = ALL if rollout.percent is None else rollout.percent.value
    return Rollout(percent, optional_expression(rollout.sticky_by, NO_NAMES))


def _keep(keep: nodes.Keep) -> Keep:
    return Keep(
        None if keep.succeeded is None else keep.succeeded.value, None if keep.failed is None else keep.failed.value
    )


def _compensations(definition: nodes.Definition) -> Compensations:
    saga_retry = definition.saga.retry if definition.saga else None
    return Compensations(
        steps={step.id.value: step for step in nodes.walk(definition.steps)},
        by_step={entry.step.value: entry.undo.value for entry in definition.compensation},
        retry=retry_of(saga_retry, COMPENSATION_RETRY),
    )


def _policy(saga: nodes.Saga | None) -> SagaPolicy:
    default = SagaPolicy()
    if saga is None:
        return default
    occasions = default.on if saga.on is None else frozenset(word.value for word in saga.on)
    return SagaPolicy(saga.order.value if saga.order else default.order, occasions)


def _sla(sla: nodes.Sla | None) -> Sla | None:
    if sla is None:
        return None
    return Sla(sla.max_duration.value, sla.on_breach.value if sla.on_breach else "emit")


def _signals(steps: tuple[nodes.AnyStep, ...]) -> tuple[str, ...]:
    received = (step.signal for step in nodes.walk(steps) if isinstance(step, nodes.Receive))
    return tuple(sorted({signal.value for signal in received if signal is not None}))

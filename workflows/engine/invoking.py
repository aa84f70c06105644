"""How an action is asked for: the one place that makes a `StartActivity`."""

from __future__ import annotations

from contracts.json import Json
from contracts.steps import RetryRule, StepContext
from workflows.engine.commands import StartActivity
from workflows.engine.state import Operation, State
from workflows.engine.turn import Turn
from workflows.language.plan import Execution, Retry


def invoke(
    turn: Turn,
    identity: str,
    operation: Operation,
    action: str,
    args: Json,
    execution: Execution,
    summary: str,
    undoes: str | None = None,
) -> None:
    """Ask for an activity and keep it as `operation`. `undoes` = idempotency key of the step that it compensates."""
    turn.state.operations[identity] = operation
    context = _context(turn.state, identity, undoes, execution.retry)
    turn.commands.append(StartActivity(identity, action, args, context, execution, summary))


def run_key(state: State, path: str) -> str:
    """Return the idempotency key of a step: the same at every attempt and in every continuation.

    In a run that resumes another one, a step whose effect may stand keeps the key that it had there.
    """
    return f"{state.keys.get(path, state.run['id'])}/{path}"


def _context(state: State, identity: str, undoes: str | None, retry: Retry) -> StepContext:
    run = state.run
    key = run_key(state, identity) if undoes is None else f"{undoes}/compensate"
    correlation = run.get("correlation_id")
    return StepContext(
        definition=state.definition,
        version=state.version,
        run=str(run["id"]),
        workflow_id=str(run["workflow_id"]),
        step=identity,
        idempotency_key=key,
        undoes=undoes,
        correlation_id=None if correlation is None else str(correlation),
        retry=_rule(retry),
    )


def _rule(retry: Retry) -> RetryRule | None:
    if not retry.on and not retry.jitter:
        return None
    return RetryRule(retry.on, retry.jitter, retry.backoff, retry.factor, retry.max_backoff)

"""Temporal's failures, unwrapped to one problem document.

A failure comes wrapped (child > activity > application) and says in several ways how certain it is. This is the one
place that decides: an effect is `unknown` when the attempt may have been carried out (a time-out after the start, a
cancellation in flight, a terminated child); it is `failed` when the operation never started or said itself that it
failed. An activity that waits between two attempts looks to the server like one that never started, so "never
started" counts only where there is a single attempt: one compensation too many is safer than one too few.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    ServerError,
    TerminatedError,
    TimeoutError,
    TimeoutType,
    WorkflowAlreadyStartedError,
)

from contracts.json import Json, NotJsonError, encode
from contracts.problems import CANCELLED, RUNTIME, TIMEOUT, Outcome, Problem
from contracts.steps import UNATTEMPTED, Earlier

_ARMED = "armed"
_LEFT_OUT = "left_out"
_ALWAYS_TOLD = ("saga_status",)
_EXTENSIONS_LIMIT_BYTES = 256 * 1024
_TIMEOUTS: Mapping[TimeoutType | None, str] = {
    TimeoutType.START_TO_CLOSE: "An attempt did not end within its time.",
    TimeoutType.SCHEDULE_TO_START: "No worker took it in time; it has not started.",
    TimeoutType.SCHEDULE_TO_CLOSE: "It did not end within its time, all attempts together.",
    TimeoutType.HEARTBEAT: "An attempt gave no sign of life in time; its worker may have died.",
    None: "It did not end within its time.",
}


def problem_of(error: BaseException, *, single_attempt: bool = False) -> Problem:
    """Return the one problem that `error` stands for.

    Args:
        error: What an activity or child workflow raised to the workflow.
        single_attempt: Whether the operation is never tried again, so that "not started" is certain.
    """
    inner = _innermost(error)
    if (earlier := unattempted(error)) is not None:
        # It would have gone on with another worker, had nobody cancelled it.
        return cancelled(started=earlier.unknown)
    if isinstance(inner, CancelledError):
        return cancelled(started=not (single_attempt and _never_started(error)))
    return _told(inner)


def unattempted(error: BaseException) -> Earlier | None:
    """Return what an activity left that ended with a delivery which was no attempt; None = it ended otherwise."""
    inner = error.cause if isinstance(error, ActivityError) else None
    if not isinstance(inner, ApplicationError) or inner.type != UNATTEMPTED or not inner.details:
        return None
    return Earlier.from_json(inner.details[0])


def cancelled(*, started: bool) -> Problem:
    """Return the problem of a cancelled operation."""
    outcome: Outcome = "unknown" if started else "failed"
    detail = "It was cancelled while it ran." if started else "It was cancelled before it started."
    return Problem(CANCELLED, "Cancelled", 499, detail, outcome=outcome)


def _told(error: BaseException) -> Problem:
    match error:
        case ApplicationError():
            return _reported(error)
        case TimeoutError():
            return _timed_out(error)
        case TerminatedError():
            return Problem(RUNTIME, "It was terminated", 500, error.message, outcome="unknown")
        case WorkflowAlreadyStartedError():
            detail = f"A run with the workflow id {error.workflow_id} is already running."
            return Problem(RUNTIME, "The key is taken", 409, detail)
        case ServerError():
            return Problem(RUNTIME, "Temporal gave it up", 500, error.message, outcome="unknown")
    return Problem(RUNTIME, "It failed", 500, str(error))


def failure_of(problem: Problem, armed: Sequence[Json] = ()) -> ApplicationError:
    """Return the error that carries `problem` through Temporal, and what a slice has armed, for its parent."""
    message = f"{problem.title}: {problem.detail}" if problem.detail else problem.title
    details = [_sendable(problem).to_json(), *([{_ARMED: list(armed)}] if armed else [])]
    return ApplicationError(message, *details, type=problem.type, non_retryable=True)


def _sendable(problem: Problem) -> Problem:
    """Return the problem without what makes it too large to be told; it says how much that was."""
    try:
        size = len(encode(dict(problem.extensions), any_depth=True))
    except NotJsonError as error:
        return replace(problem, extensions={_LEFT_OUT: f"its other members: {error}"})
    if size <= _EXTENSIONS_LIMIT_BYTES:
        return problem
    kept = {name: problem.extensions[name] for name in _ALWAYS_TOLD if name in problem.extensions}
    return replace(problem, extensions=kept | {_LEFT_OUT: f"its other members: {size:,} bytes"})


def armed_of(error: BaseException) -> tuple[Json, ...]:
    """Return what the slice that failed with `error` had armed."""
    inner = _innermost(error)
    carried = inner.details[1] if isinstance(inner, ApplicationError) and len(inner.details) > 1 else None
    return tuple(carried.get(_ARMED, ())) if isinstance(carried, Mapping) else ()


def _chain(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ if isinstance(current, ActivityError | ChildWorkflowError) else None


def _innermost(error: BaseException) -> BaseException:
    *_, last = _chain(error)
    return last


def _never_started(error: BaseException) -> bool:
    return isinstance(error, ActivityError) and error.started_event_id == 0


def _reported(error: ApplicationError) -> Problem:
    document = error.details[0] if error.details else None
    if isinstance(document, Mapping) and "type" in document and "title" in document:
        return Problem.from_json(document)
    extensions = {"error": error.type} if error.type else {}
    return Problem(RUNTIME, "An error was raised", 500, error.message, extensions=extensions)


def _timed_out(error: TimeoutError) -> Problem:
    outcome: Outcome = "failed" if error.type is TimeoutType.SCHEDULE_TO_START else "unknown"
    problem = Problem(TIMEOUT, "Timed out", 504, _TIMEOUTS[error.type], outcome=outcome)
    if not isinstance(error.__cause__, ApplicationError):
        return problem
    last = _reported(error.__cause__)
    return replace(problem, detail=f"{problem.detail} The last attempt: {last.detail or last.title}")

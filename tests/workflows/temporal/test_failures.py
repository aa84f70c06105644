"""Every way in which Temporal says that an operation failed, and the one problem that it becomes."""

from __future__ import annotations

import pytest
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    RetryState,
    ServerError,
    TerminatedError,
    TimeoutError,
    TimeoutType,
    WorkflowAlreadyStartedError,
)

from contracts.problems import Problem
from workflows.temporal.failures import cancelled, failure_of, problem_of

OURS = Problem("payment", "No money", 402, "The card was refused.", "/steps/pay", "unknown", {"card": "1234"})


def activity(cause: BaseException, *, started: int = 7) -> ActivityError:
    """What an activity's failure looks like to the workflow."""
    error = ActivityError(
        "Activity task failed",
        scheduled_event_id=5,
        started_event_id=started,
        identity="worker",
        activity_type="pay",
        activity_id="pay",
        retry_state=RetryState.MAXIMUM_ATTEMPTS_REACHED,
    )
    error.__cause__ = cause
    return error


def child(cause: BaseException) -> ChildWorkflowError:
    """What a child's failure looks like to its parent."""
    error = ChildWorkflowError(
        "Child Workflow execution failed",
        namespace="default",
        workflow_id="leaf/1",
        run_id="r",
        workflow_type="leaf",
        initiated_event_id=5,
        started_event_id=6,
        retry_state=RetryState.NON_RETRYABLE_FAILURE,
    )
    error.__cause__ = cause
    return error


def timeout(kind: TimeoutType | None, cause: BaseException | None = None) -> TimeoutError:
    """A time-out of Temporal, after a last failure or without one."""
    error = TimeoutError("activity timeout", type=kind, last_heartbeat_details=[])
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind", "outcome"),
    [
        (activity(timeout(TimeoutType.START_TO_CLOSE)), "timeout", "unknown"),
        (activity(timeout(TimeoutType.HEARTBEAT)), "timeout", "unknown"),
        (activity(timeout(TimeoutType.SCHEDULE_TO_CLOSE)), "timeout", "unknown"),
        (activity(timeout(None)), "timeout", "unknown"),
        (activity(timeout(TimeoutType.SCHEDULE_TO_START)), "timeout", "failed"),
        (child(timeout(TimeoutType.START_TO_CLOSE)), "timeout", "unknown"),
        (activity(CancelledError("Cancelled")), "cancelled", "unknown"),
        (child(CancelledError("Cancelled")), "cancelled", "unknown"),
        (child(TerminatedError("by hand")), "runtime", "unknown"),
        (activity(ServerError("shard lost")), "runtime", "unknown"),
        (WorkflowAlreadyStartedError("leaf/1", "leaf"), "runtime", "failed"),
        (activity(ApplicationError("boom", type="ValueError")), "runtime", "failed"),
        (child(activity(ApplicationError("boom", OURS.to_json(), type="payment"))), "payment", "unknown"),
        (RuntimeError("odd"), "runtime", "failed"),
    ],
)
def test_failure_becomes_one_problem(error: BaseException, kind: str, outcome: str) -> None:
    """Type and certainty are read off the innermost failure."""
    problem = problem_of(error)
    assert (problem.type, problem.outcome) == (kind, outcome)
    assert problem.title


def test_our_problem_travels_whole() -> None:
    """A problem that an action or a child reported arrives with all its members."""
    assert problem_of(child(failure_of(OURS))) == OURS


def test_foreign_details_are_not_taken_for_a_problem() -> None:
    """Details of another form are no problem document; the message and the error's name are kept."""
    problem = problem_of(activity(ApplicationError("boom", {"code": 5}, type="TheirError")))
    assert problem.detail == "boom"
    assert problem.extensions == {"error": "TheirError"}


def test_foreign_error_without_a_type_has_no_name() -> None:
    """An error without a type is told by its message alone."""
    assert problem_of(activity(ApplicationError("boom"))).extensions == {}


@pytest.mark.parametrize(
    ("started", "single", "outcome"), [(0, True, "failed"), (0, False, "unknown"), (7, True, "unknown")]
)
def test_cancelled_activity_is_certain_only_if_it_cannot_have_run(started: int, single: bool, outcome: str) -> None:
    """With several attempts, one that has not started may have run before; it counts as unknown."""
    error = activity(CancelledError("Cancelled"), started=started)
    assert problem_of(error, single_attempt=single).outcome == outcome


def test_last_failure_is_told_with_a_timeout() -> None:
    """When the time for all attempts is over, the last attempt's failure is told as well."""
    last = failure_of(Problem("communication", "No answer", 502, "The host is away."))
    problem = problem_of(activity(timeout(TimeoutType.SCHEDULE_TO_CLOSE, last)))
    assert "The host is away." in problem.detail


def test_cancelled_says_how_certain_it_is() -> None:
    """A cancelled operation had no effect for certain only when it never started."""
    assert cancelled(started=True).outcome == "unknown"
    assert cancelled(started=False).outcome == "failed"


def test_failure_carries_the_problem_and_is_not_retried() -> None:
    """The error has the problem's type, a message for people, and the document as details."""
    error = failure_of(OURS)
    assert (error.type, error.non_retryable) == ("payment", True)
    assert error.message == "No money: The card was refused."
    assert error.details == (OURS.to_json(),)
    assert failure_of(Problem("x", "Only a title")).message == "Only a title"

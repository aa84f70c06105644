"""How a plan's execution rules become Temporal's options.

A retry of the language is exactly one Temporal retry policy; what a policy cannot say (`on`, jitter) travels in the
step's context and is decided by the translator of errors in the activity. The mapping is cached, because a plan has
few different rules and its runs ask for them at each step.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from temporalio.common import Priority, RetryPolicy
from temporalio.workflow import ActivityCancellationType

from contracts.steps import UNCOUNTED, Earlier
from workflows.language.plan import Execution, Retry

SUMMARY_LIMIT_BYTES = 400
_SHORTEST_TIMER = timedelta(milliseconds=1)


@lru_cache(maxsize=1024)
def remote_options(execution: Execution) -> dict[str, Any]:
    """Return the keyword arguments of `workflow.start_activity`; callers must not change them."""
    return local_options(execution) | {
        "heartbeat_timeout": _seconds(execution.heartbeat),
        "task_queue": execution.queue,
        "priority": priority(execution.priority),
    }


@lru_cache(maxsize=1024)
def local_options(execution: Execution) -> dict[str, Any]:
    """Return the keyword arguments of `workflow.start_local_activity`; callers must not change them."""
    return {
        "start_to_close_timeout": _seconds(execution.attempt_timeout),
        "schedule_to_close_timeout": _seconds(execution.timeout),
        "retry_policy": retry_policy(execution.retry),
        "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    }


def going_on_options(execution: Execution, earlier: Earlier, now: datetime) -> dict[str, Any]:
    """Return the keyword arguments of `workflow.start_activity` for a step that goes on in another activity.

    Args:
        execution: The step's rules.
        earlier: What the activity before has left; its attempts count, and so does its time.
        now: Workflow time.
    """
    counted = execution.retry.attempts
    policy = replace(retry_policy(execution.retry), maximum_attempts=UNCOUNTED + counted if counted else 0)
    options = remote_options(execution) | {"retry_policy": policy}
    if execution.timeout is not None:
        left = timedelta(seconds=execution.timeout) - (now - earlier.moment())
        options["schedule_to_close_timeout"] = max(left, _SHORTEST_TIMER)
    return options


def retry_policy(retry: Retry) -> RetryPolicy:
    """Return the one policy that stands for `retry`; the longest delay is never shorter than the first."""
    return RetryPolicy(
        initial_interval=timedelta(seconds=retry.backoff),
        backoff_coefficient=max(1.0, retry.factor),
        maximum_interval=timedelta(seconds=max(retry.max_backoff, retry.backoff)),
        maximum_attempts=retry.attempts,
        non_retryable_error_types=retry.not_on or None,
    )


def priority(key: int | None) -> Priority:
    """Return Temporal's priority, 1 (first) to 5; None = the run's own."""
    return Priority(priority_key=key)


def timer_duration(seconds: float) -> timedelta:
    """Return how long a timer runs; Temporal has no timer of length zero."""
    return max(timedelta(seconds=seconds), _SHORTEST_TIMER)


def summary(text: str) -> str:
    """Return `text` cut to the length that the server takes, in bytes."""
    encoded = text.encode()
    if len(encoded) <= SUMMARY_LIMIT_BYTES:
        return text
    return encoded[: SUMMARY_LIMIT_BYTES - 3].decode(errors="ignore") + "…"


def _seconds(value: float | None) -> timedelta | None:
    return None if value is None else timedelta(seconds=value)

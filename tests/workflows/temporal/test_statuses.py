"""Statuses that the server knows and the SDK does not."""

from __future__ import annotations

import pytest
from temporalio.api.enums.v1 import WorkflowExecutionStatus as ApiStatus
from temporalio.client import WorkflowExecutionStatus

from workflows.temporal.statuses import is_open, name_of


def test_status_that_the_sdk_lacks_has_its_name() -> None:
    """One paused run does not hide the list that it is in; a number that nobody knows is told as a number."""
    paused = WorkflowExecutionStatus(ApiStatus.WORKFLOW_EXECUTION_STATUS_PAUSED)
    assert (paused, name_of(paused)) == (8, "paused")
    assert name_of(WorkflowExecutionStatus(99)) == "status-99"
    with pytest.raises(ValueError, match="is not a valid"):
        WorkflowExecutionStatus("paused")  # type: ignore[arg-type]  # a stranger's


def test_whatever_is_not_closed_is_open() -> None:
    """Running, paused, and what a later server may say."""
    opened = [status for status in range(1, 12) if is_open(status)]
    assert opened == [1, 8, 9, 10, 11]
    assert name_of(WorkflowExecutionStatus.TIMED_OUT) == "timed-out"
    assert name_of(None) == "unknown"

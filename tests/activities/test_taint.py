"""What a failed attempt leaves reaches the next one through a real server."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel
from temporalio import workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.action import Action, Call, action
from activities.registry import temporal_activities
from activities.resources import Resources
from contracts.errors import TemporaryError
from tests.activities.carrying import context, problem


class Nothing(BaseModel):
    """No members."""


@action("test.certain")
async def certain(given: Nothing, call: Call) -> Nothing:
    """Fail for certain."""
    raise TemporaryError(f"attempt {call.attempt}")


@action("test.beating")
async def beating(given: Nothing, call: Call) -> Nothing:
    """Report progress, and fail for certain."""
    for part in range(5):
        call.heartbeat(part)
    raise TemporaryError(f"attempt {call.attempt}")


@action("test.timing-out")
async def timing_out(given: Nothing, call: Call) -> Nothing:
    """Run out of time at the first attempt, fail for certain at the others."""
    if call.attempt == 1:
        raise TimeoutError
    raise TemporaryError(f"attempt {call.attempt}")


@workflow.defn(name="one-step", sandboxed=False)
class OneStep:
    """Carries one action out, four times at most."""

    @workflow.run
    async def run(self, name: str, step: dict[str, Any]) -> Any:
        """Start the activity."""
        policy = RetryPolicy(initial_interval=timedelta(milliseconds=5), maximum_attempts=4)
        return await workflow.execute_activity(
            name, args=[{}, step], start_to_close_timeout=timedelta(seconds=30), retry_policy=policy
        )


@pytest.mark.parametrize(("what", "outcome"), [(certain, None), (beating, None), (timing_out, "unknown")])
async def test_word_of_a_failed_attempt_arrives(
    client: Client, outside: Resources, what: Action[Any, Any], outcome: str | None
) -> None:
    """After three certain failures the fourth is certain too; after an unknown one the step is unknown."""
    queue = f"taint-{uuid.uuid4()}"
    activities = temporal_activities(outside, (what,))
    async with Worker(
        client,
        task_queue=queue,
        workflows=[OneStep],
        activities=activities,
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        with pytest.raises(WorkflowFailureError) as caught:
            await client.execute_workflow(
                OneStep.run, args=[what.name, context().to_json()], id=str(uuid.uuid4()), task_queue=queue
            )
    failed = caught.value.cause
    assert isinstance(failed, ActivityError)
    assert isinstance(failed.cause, ApplicationError)
    assert "attempt 4" in problem(failed.cause)["detail"]
    assert problem(failed.cause).get("outcome") == outcome

"""A cancellation reaches an action that never thinks of it, through a real server."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel
from temporalio import workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import CancelledError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from temporalio.workflow import ActivityCancellationType

from activities.action import Action, Call, action
from activities.registry import temporal_activities
from activities.resources import Resources
from tests.activities.carrying import context


class Nothing(BaseModel):
    """No members."""


class Story:
    """What happened to the action."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.began = asyncio.Event()
        self.ended = asyncio.Event()

    def endless(self) -> Action[Any, Any]:
        """Return an action that waits until it is cancelled."""

        async def wait(given: Nothing, call: Call) -> Nothing:
            """Wait for ever."""
            self.began.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.ended.set()
            raise AssertionError

        wait.__annotations__ = {"given": Nothing, "call": Call, "return": Nothing}
        return action("test.endless")(wait)


@workflow.defn(name="one-endless-step", sandboxed=False)
class OneEndlessStep:
    """Carries one action out and waits for it to settle when it is cancelled."""

    @workflow.run
    async def run(self, step: dict[str, Any]) -> Any:
        """Start the activity."""
        return await workflow.execute_activity(
            "test.endless",
            args=[{}, step],
            start_to_close_timeout=timedelta(minutes=5),
            heartbeat_timeout=timedelta(milliseconds=900),
            cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )


async def test_cancellation_arrives_without_heartbeats_of_its_own(client: Client, outside: Resources) -> None:
    """The heartbeat around the action brings it, and the run settles."""
    story, queue = Story(), f"cancel-{uuid.uuid4()}"
    async with Worker(
        client,
        task_queue=queue,
        workflows=[OneEndlessStep],
        activities=temporal_activities(outside, (story.endless(),)),
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        run = await client.start_workflow(OneEndlessStep.run, context().to_json(), id=queue, task_queue=queue)
        await story.began.wait()
        await run.cancel()
        with pytest.raises(WorkflowFailureError) as caught:
            await run.result()
    assert isinstance(caught.value.cause, CancelledError)
    assert story.ended.is_set()

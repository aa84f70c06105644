"""A run that was reset by the `temporal` CLI: what the reset took back is gone from the projection too."""

from __future__ import annotations

import uuid

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, ResetReapplyType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client

from store.database import Database
from tests.support.waiting import eventually
from tests.workers.projection import AT_ONCE, empty, recorded, rows, timeless, wanted_of
from tests.workflows.temporal.plans import act, approval, chain, library, plan
from tests.workflows.temporal.watching import Run, failure_of, waiting_approval
from workers.rebuilding import rebuild
from workflows.temporal.classes import workflow_classes

FINISHED = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED


async def reset(client: Client, run: Run) -> None:
    """Reset a run to its second workflow task, without the signals that came later."""
    history = await run.fetch_history()
    finished = [
        event.event_id for event in history.events if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    ]
    await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=run.id),
            reason="a test",
            request_id=str(uuid.uuid4()),
            workflow_task_finish_event_id=finished[1],
            reset_reapply_type=ResetReapplyType.RESET_REAPPLY_TYPE_NONE,
        )
    )


@pytest.mark.parametrize("ends", [False, True])
async def test_reset_run_is_what_it_is_now(client: Client, database: Database, ends: bool) -> None:
    """It was approved and went on; after the reset it waits, or is rejected: nothing of the first time is left."""
    loaded = library(plan("reset", *chain(act("begin"), approval("ask"), act("pack"), act("send"))))
    async with recorded(client, database, loaded, pace=AT_ONCE) as recorded_host:
        started = await recorded_host.host.start("reset", {})
        run = client.get_workflow_handle(started.id)
        await waiting_approval(run)
        await run.signal("approve", {"step": "ask", "approver": "a"})
        await run.result()
        await reset(client, run)
        await waiting_approval(run)
        if ends:
            await run.signal("reject", {"step": "ask", "approver": "a"})
            await failure_of(run)
        state = await run.query("state")

        async def is_so() -> bool:
            found = [(row["status"], row["sequence"], row["written"]) for row in (await rows(database))["runs"]]
            return found == [(state["status"], state["sequence"], state["sequence"])]

        await eventually(is_so)
    live = timeless(await rows(database))
    assert {step["path"] for step in live["steps"]} == {"ask", "begin"}
    assert len(live["approvals"]) == 1
    await empty(database)
    await rebuild(client, database, workflow_classes(lambda: loaded), await wanted_of(client, run.id))
    assert timeless(await rows(database)) == live

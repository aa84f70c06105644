"""The revision of the engine is on record with each run, and later workers keep to it."""

from __future__ import annotations

import pytest
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from tests.support.waiting import eventually
from tests.workflows.temporal.hosting import hosting
from tests.workflows.temporal.plans import act, approval, chain, library, plan
from tests.workflows.temporal.watching import Run, waiting_approval
from workflows.temporal import opening
from workflows.temporal.classes import workflow_classes
from workflows.temporal.course import Move
from workflows.temporal.interceptor import ShellInterceptor

LOADED = library(plan("gate", *chain(act("a"), approval("ask"), act("b"))))
YES = {"step": "ask", "decision": "approve", "approver": "ada"}


async def revisions_in(history: WorkflowHistory) -> set[int]:
    """Replay a history and return the revisions that its states name."""
    found = set[int]()

    def seen(move: Move) -> None:
        found.add(move.state.engine)

    await Replayer(
        workflows=workflow_classes(lambda: LOADED),
        workflow_runner=UnsandboxedWorkflowRunner(),
        interceptors=[ShellInterceptor(seen, replays=True)],
    ).replay_workflow(history)
    return found


async def test_run_keeps_the_revision_that_it_began_with(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the workers that take it up later have; the first revision has no marker."""
    histories = list[WorkflowHistory]()
    for revision in (1, 2):
        monkeypatch.setattr(opening, "REVISION", revision)
        async with hosting(client, LOADED, cached=0) as host:
            handle: Run = await host.start("gate", {})
            await waiting_approval(handle)
            monkeypatch.setattr(opening, "REVISION", revision + 1)  # the workers are upgraded meanwhile
            await handle.execute_update("decide", YES)
            await handle.result()
        histories.append(await handle.fetch_history())
    monkeypatch.setattr(opening, "REVISION", 4)
    assert [await revisions_in(history) for history in histories] == [{1}, {2}]


async def test_continued_run_carries_its_revision(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a marker of its own; a worker that does not have that revision fails the task, not the run."""
    monkeypatch.setattr(opening, "REVISION", 2)
    async with hosting(client, LOADED, cached=0, continue_after=1) as host:
        handle: Run = await host.start("gate", {})
        await waiting_approval(handle)
        first = (await handle.describe()).run_id

        async def has_continued() -> bool:
            await handle.signal("noise")
            return (await handle.describe()).run_id != first

        await eventually(has_continued)
        monkeypatch.setattr(opening, "REVISION", 1)
        await handle.signal("approve", {"step": "ask", "approver": "ada"})

        async def has_failed() -> bool:
            events = (await handle.fetch_history()).events
            return any(event.HasField("workflow_task_failed_event_attributes") for event in events)

        await eventually(has_failed)
        monkeypatch.setattr(opening, "REVISION", 3)
        await handle.result()
        assert (await handle.query("state"))["engine"] == 2

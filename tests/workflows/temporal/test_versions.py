"""Which version a run follows, whatever is deployed later."""

from __future__ import annotations

import asyncio

import pytest
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from tests.workflows.temporal.hosting import hosting
from tests.workflows.temporal.plans import act, chain, definition, library, plan, receive
from tests.workflows.temporal.watching import Run, attributes_of
from workflows.language.library import Library, pin_of
from workflows.temporal.classes import workflow_classes
from workflows.temporal.starting import StartRequest, start_run

V1 = plan("moving", *chain(receive("wait", "go"), act("old")), version="1.0.0", signals=("go",))
V2 = plan("moving", *chain(receive("wait", "go"), act("new")), version="2.0.0", signals=("go",))
V1_CHANGED = plan("moving", *chain(act("more"), receive("wait", "go"), act("old")), version="1.0.0", signals=("go",))


async def replayed(history: WorkflowHistory, loaded: Library) -> str:
    """Replay a history with other definitions loaded; the reason why it failed, or nothing."""
    replayer = Replayer(workflows=workflow_classes(lambda: loaded), workflow_runner=UnsandboxedWorkflowRunner())
    result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
    return str(result.replay_failure or "")


async def test_marked_run_keeps_its_version(client: Client) -> None:
    """A run without a pin records a marker and follows that version after another one took over."""
    queue = "versions-marked"
    async with hosting(client, library(V1), queue=queue) as host:
        handle = await host.start("moving", {})
        await handle.query("state")
    async with hosting(client, library(V1, V2), queue=queue) as host:
        await handle.signal("go")
        await handle.result()
        assert host.ledger.lines == ["note old"]
        assert (await attributes_of(handle))["SagaVersion"] == pin_of(definition(V1))


async def test_pinned_run_keeps_its_version_without_a_marker(client: Client) -> None:
    """A run started by the product is pinned by its search attribute and writes no marker."""
    queue = "versions-pinned"
    async with hosting(client, library(V1), queue=queue):
        started = await start_run(client, queue, StartRequest(definition(V1), {}))
        handle: Run = client.get_workflow_handle(started.workflow_id)
        await handle.query("state")
    async with hosting(client, library(V1, V2), queue=queue) as host:
        await handle.signal("go")
        await handle.result()
        assert host.ledger.lines == ["note old"]
    kinds = [event.WhichOneof("attributes") for event in (await handle.fetch_history()).events]
    assert "marker_recorded_event_attributes" not in kinds


async def test_new_runs_follow_the_newest_version(client: Client) -> None:
    """The plain name means the highest version; `id@version` means that one."""
    async with hosting(client, library(V1, V2)) as host:
        for name in ("moving", "moving@1.0.0"):
            handle = await host.start(name, {})
            await handle.signal("go")
            await handle.result()
        assert host.ledger.lines == ["note new", "note old"]


async def test_definition_deployed_later_runs_without_restart(client: Client) -> None:
    """What was not there when the worker started is served by the dynamic class."""
    loaded = library(V1)
    async with hosting(client, loaded, later=lambda: loaded) as host:
        loaded = library(V1, V2, plan("newcomer", act("hello")))
        assert (await host.execute("newcomer", {"n": 1}))["given"] == {"n": 1}
        handle = await host.start("moving@2.0.0", {})
        await handle.signal("go")
        await handle.result()
        assert host.ledger.lines == ["note hello", "note new"]


async def test_run_waits_for_a_worker_that_has_its_version(client: Client) -> None:
    """Without the pinned version the workflow task fails, not the run; it goes on once the version is there."""
    loaded = library(V2)
    async with hosting(client, loaded, later=lambda: loaded) as host:
        started = await start_run(client, host.queue, StartRequest(definition(V1), {}))
        handle: Run = client.get_workflow_handle(started.workflow_id)
        message = await task_failure(handle)
        assert f"Pinned: moving@{pin_of(definition(V1))}" in message
        assert f"Loaded: moving@{pin_of(definition(V2))}" in message
        loaded = library(V1, V2)
        await handle.signal("go")
        await handle.result()
        assert host.ledger.lines == ["note old"]


@pytest.mark.parametrize("pinned", [True, False])
async def test_changed_definition_under_the_same_version_is_refused(client: Client, pinned: bool) -> None:
    """A replay with other content under the same number fails and says so, however the run was pinned."""
    async with hosting(client, library(V1)) as host:
        if pinned:
            started = await start_run(client, host.queue, StartRequest(definition(V1), {}))
            handle: Run = client.get_workflow_handle(started.workflow_id)
        else:
            handle = await host.start("moving", {})
        await handle.signal("go")
        await handle.result()
        history = await handle.fetch_history()
    assert await replayed(history, library(V1, V2)) == ""
    assert await replayed(WorkflowHistory("another/id", history.events), library(V1)) == ""
    assert "not loaded" in await replayed(history, library(V1_CHANGED))
    assert "not loaded" in await replayed(history, library(V2))
    assert "not loaded" in await replayed(history, library())


async def task_failure(handle: Run) -> str:
    """Return the message of the first workflow task that failed."""
    while True:
        for event in (await handle.fetch_history()).events:
            if event.HasField("workflow_task_failed_event_attributes"):
                return event.workflow_task_failed_event_attributes.failure.message
        await asyncio.sleep(0)

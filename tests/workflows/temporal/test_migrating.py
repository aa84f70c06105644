"""Moving a waiting run to another version, on a real server."""

from __future__ import annotations

import pytest
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from tests.workflows.temporal.hosting import hosting
from tests.workflows.temporal.plans import act, approval, chain, definition, library, pause, plan, receive, undo
from tests.workflows.temporal.watching import Run, attributes_of
from workflows.language.library import pin_of
from workflows.temporal.classes import workflow_classes
from workflows.temporal.starting import StartRequest, start_run

V1 = plan("moved", *chain(act("pay", undo=undo()), approval("ask"), act("old")), version="1.0.0")
V2 = plan("moved", *chain(act("pay", undo=undo()), approval("ask"), act("new"), act("more")), version="2.0.0")
V3 = plan("moved", *chain(act("pay"), receive("ask", "go"), act("new")), version="3.0.0", signals=("go",))
ALL = library(V1, V2, V3)
TO_V2 = {"to": pin_of(definition(V2))}
YES = {"step": "ask", "decision": "approve", "approver": "ada"}


async def waiting(client: Client, queue: str, *, explicit: bool = False) -> Run:
    """Start a run of version 1 and wait until it waits."""
    started = await start_run(client, queue, StartRequest(definition(V1), {}, version_explicit=explicit))
    handle: Run = client.get_workflow_handle(started.workflow_id)
    while not await handle.query("approvals"):
        pass
    return handle


@pytest.mark.parametrize("explicit", [False, True])
async def test_waiting_run_goes_on_with_the_new_version(client: Client, explicit: bool) -> None:
    """Nothing is done twice; pin, type and compensations follow, and each execution replays."""
    async with hosting(client, ALL) as host:
        handle = await waiting(client, host.queue, explicit=explicit)
        first = (await handle.describe()).run_id
        assert await handle.execute_update("migrate", TO_V2) == {"follows": TO_V2["to"]}
        await handle.execute_update("decide", YES)
        await handle.result()
        assert host.ledger.lines == ["note pay", "note new", "note more"]
        assert (await attributes_of(handle))["SagaVersion"] == TO_V2["to"]
        assert (await handle.describe()).workflow_type == ("moved@2.0.0" if explicit else "moved")
        state = await handle.query("state")
        assert (state["version"], [each["path"] for each in state["armed"]]) == ("2.0.0", [])
        histories = [
            await client.get_workflow_handle(handle.id, run_id=first).fetch_history(),
            await handle.fetch_history(),
        ]
    for history, loaded in zip(histories, (ALL, library(V2)), strict=True):
        replayer = Replayer(
            workflows=workflow_classes(lambda loaded=loaded: loaded),  # type: ignore[misc]  # a default binds it
            workflow_runner=UnsandboxedWorkflowRunner(),
        )
        await replayer.replay_workflow(history)


async def test_moved_run_is_undone_as_it_promised(client: Client) -> None:
    """The compensation that version 1 armed runs in version 2."""
    async with hosting(client, ALL) as host:
        handle = await waiting(client, host.queue)
        await handle.execute_update("migrate", TO_V2)
        with pytest.raises(Exception, match="Workflow execution failed"):
            await handle.execute_update("decide", YES | {"decision": "reject"})
            await handle.result()
        assert host.ledger.lines == ["note pay", "undo pay/compensate"]


async def test_impossible_move_is_refused_with_the_reason(client: Client) -> None:
    """The history has nothing of it; the query says for each version what does not fit."""
    async with hosting(client, ALL) as host:
        handle = await waiting(client, host.queue)
        before = len((await handle.fetch_history()).events)
        for arguments, reason in (
            ({"to": pin_of(definition(V3))}, "ask: It stands at this step, whose type is another one in 3.0.0."),
            ({"to": pin_of(definition(V1))}, "It follows version 1.0.0 already."),
            ({"to": "9.0.0+00000000"}, "is not loaded by this worker. Loaded: 3.0.0+"),
            ({"to": "2.0.0"}, 'Send {"to"'),
            ("2.0.0", 'Send {"to"'),
        ):
            with pytest.raises(WorkflowUpdateFailedError) as refused:
                await handle.execute_update("migrate", arguments)
            assert reason in str(refused.value.cause)
        kinds = [event.WhichOneof("attributes") for event in (await handle.fetch_history()).events[before:]]
        assert not [kind for kind in kinds if kind and "update" in kind]
        outlook = await handle.query("migration")
        assert outlook["follows"] == "1.0.0"
        assert {each["version"]: bool(each["misfits"]) for each in outlook["versions"]} == {
            "1.0.0": True,
            "2.0.0": False,
            "3.0.0": True,
        }
        await handle.terminate()


async def test_timers_come_along(client: Client) -> None:
    """A run that sleeps moves, sleeps on, and does what comes after by the new version."""
    old = plan("sleeper", *chain(pause("rest", "1s"), act("old")), version="1.0.0")
    new = plan("sleeper", *chain(pause("rest", "1h"), act("new")), version="2.0.0")
    async with hosting(client, library(old, new)) as host:
        started = await start_run(client, host.queue, StartRequest(definition(old), {}))
        handle: Run = client.get_workflow_handle(started.workflow_id)
        await handle.execute_update("migrate", {"to": pin_of(definition(new))})
        await handle.result()
        assert host.ledger.lines == ["note new"]

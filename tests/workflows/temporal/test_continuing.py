"""Long runs go on in new executions, with all that they carry."""

from __future__ import annotations

import pytest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError
from temporalio.exceptions import CancelledError

from tests.workflows.temporal.hosting import hosting
from tests.workflows.temporal.plans import act, approval, chain, library, pause, plan, receive, repeat, undo
from tests.workflows.temporal.watching import Run, attributes_of, failure_of, waiting_approval


async def test_long_loop_goes_on_in_new_executions(client: Client) -> None:
    """A loop of many steps carries on over continue-as-new: each round once, with the run's first id and input."""
    loop = repeat("loop", "one", "index >= 11", next="last")
    steps = (loop, act("one"), act("last", action="refuse"))
    async with hosting(client, library(plan("long", *steps)), continue_after=30) as host:
        handle = await host.start("long", {"n": 1})
        error = await failure_of(handle)
        assert error.type == "broken"
        assert host.ledger.lines == [f"note loop[{n}]/one" for n in range(12)] + ["refuse last"]
        last = client.get_workflow_handle(handle.id)
        assert (await last.query("state"))["run"]["id"] == handle.first_execution_run_id
        assert (await last.query("state"))["input"] == {"n": 1}
        assert (await last.describe()).run_id != handle.first_execution_run_id
        assert (await attributes_of(last))["SagaStatus"] == "failed"


async def test_armed_compensations_survive(client: Client) -> None:
    """What was done before continue-as-new is undone after it."""
    loop = repeat("loop", "one", "index >= 5", next="last")
    steps = (loop, act("one", undo=undo()), act("last", action="refuse"))
    async with hosting(client, library(plan("long-undo", *steps)), continue_after=20) as host:
        await failure_of(await host.start("long-undo", {}))
        done = [line.split(" ")[1] for line in host.ledger.lines if line.startswith("note")]
        undone = [line.split(" ")[1] for line in host.ledger.lines if line.startswith("undo")]
        assert undone == [f"{path}/compensate" for path in reversed(done)]


async def test_mailbox_and_waiting_survive(client: Client) -> None:
    """Early signals, approvals that wait and decisions so far are carried over; timers are started anew."""
    steps = chain(
        approval("allow", quorum=2, timeout=3600.0), receive("got", "go"), act("last", args="${ steps.got.output }")
    )
    async with hosting(client, library(plan("waits", *steps, signals=("go",))), continue_after=20) as host:
        handle = await host.start("waits", {})
        await waiting_approval(handle)
        await handle.execute_update("decide", {"step": "allow", "decision": "approve", "approver": "alice"})
        await handle.signal("go", "early")
        for number in range(12):
            await handle.signal("noise", number)
        run: Run = client.get_workflow_handle(handle.id)
        while (await run.describe()).run_id == handle.first_execution_run_id:
            await handle.signal("noise", -1)
        await run.execute_update("decide", {"step": "allow", "decision": "approve", "approver": "bob"})
        assert (await run.result())["given"] == "early"


async def test_decisions_are_answered_before_continuing(client: Client) -> None:
    """An update in flight gets its answer; none is lost or left unfinished by continue-as-new."""
    steps = chain(approval("allow", quorum=20), act("last"))
    async with hosting(client, library(plan("many", *steps)), continue_after=12) as host:
        handle = await host.start("many", {})
        await waiting_approval(handle)
        run: Run = client.get_workflow_handle(handle.id)
        for number in range(20):
            answer = await run.execute_update(
                "decide", {"step": "allow", "decision": "approve", "approver": f"user-{number}"}
            )
            assert answer["approved"] is True
        await run.result()
        assert host.ledger.lines == ["note last"]


async def test_timer_goes_on_where_it_was(client: Client) -> None:
    """A timer that was running fires in the new execution."""
    steps = chain(pause("sleep", "3s"), act("last"))
    async with hosting(client, library(plan("sleeps", *steps)), continue_after=10) as host:
        handle = await host.start("sleeps", {})
        for number in range(8):
            await handle.signal("noise", number)
        run: Run = client.get_workflow_handle(handle.id)
        await run.result()
        assert host.ledger.lines == ["note last"]


async def test_cancel_while_draining_ends_as_cancelled(client: Client) -> None:
    """A run that is about to continue as new compensates in the same execution when it is cancelled."""
    steps = chain(act("a", undo=undo()), receive("got", "go"), act("b", action="hang", undo=undo()))
    async with hosting(client, library(plan("draining", *steps, signals=("go",))), continue_after=12) as host:
        handle = await host.start("draining", {})
        await handle.signal("go")
        await host.ledger.hanging.wait()
        for number in range(10):
            await handle.signal("noise", number)
        while not (await handle.query("state"))["draining"]:
            await handle.signal("noise", -1)
        await handle.cancel()
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()
        assert isinstance(caught.value.cause, CancelledError)
        described = await client.get_workflow_handle(handle.id).describe()
        assert described.status is WorkflowExecutionStatus.CANCELED
        assert host.ledger.lines == ["note a", "hang b", "undo b/compensate", "undo a/compensate"]

"""Signals, decisions and updates to runs on the real server."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WithStartWorkflowOperation, WorkflowUpdateFailedError, WorkflowUpdateStage
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError

from tests.workflows.temporal.hosting import Host, hosting
from tests.workflows.temporal.plans import act, approval, chain, library, plan, receive, template
from tests.workflows.temporal.watching import Run, failure_of, waiting_approval

GATE = plan("gate", *chain(approval("allow", approvers=template(["alice", "role:boss"])), act("after")))
YES = {"step": "allow", "decision": "approve", "approver": "alice"}


async def refused(handle: Run, *values: Any) -> str:
    """Send a decision that is refused, and return what the person is told."""
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await handle.execute_update("decide", args=list(values))
    assert isinstance(caught.value.cause, ApplicationError)
    return caught.value.cause.message


async def waiting_gate(host: Host) -> Run:
    """Start the gate and return it once it waits."""
    handle: Run = await host.start("gate", {})
    await waiting_approval(handle)
    return handle


async def test_signals_with_the_first_task_come_after_the_beginning(client: Client) -> None:
    """Signals that are there before the worker are kept, and each step takes its own, in order."""
    queue = f"q{uuid.uuid4().hex[:8]}"
    steps = chain(
        receive("first", "go"), receive("second", "go"), act("c", args="${ [steps.first.output, steps.second.output] }")
    )
    handle = await client.start_workflow("early-signals", args=[{}], id=f"early-signals/{queue}", task_queue=queue)
    await handle.signal("go", 1)
    await handle.signal("unawaited", args=[1, 2, 3])
    await handle.signal("go", 2)
    async with hosting(client, library(plan("early-signals", *steps, signals=("go",))), queue=queue):
        assert (await handle.result())["given"] == [1, 2]


async def test_signal_without_data_is_taken(client: Client) -> None:
    """A signal may come without an argument; its data is null."""
    steps = chain(receive("first", "go"), act("c", args={"got": "${ steps.first.output }"}))
    async with hosting(client, library(plan("bare-signal", *steps, signals=("go",)))) as host:
        handle = await host.start("bare-signal", {})
        await handle.signal("go")
        assert (await handle.result())["given"] == {"got": None}


async def test_signal_that_no_step_awaits_is_kept(client: Client) -> None:
    """A signal of any name lands in the mailbox."""
    async with hosting(client, library(GATE)) as host:
        handle = await waiting_gate(host)
        await handle.signal("hello", {"n": 1})
        state = await handle.query("state")
        assert [(kept["name"], kept["data"]) for kept in state["mailbox"]] == [("hello", {"n": 1})]
        await handle.terminate()


async def test_approve_signal_lets_the_run_go_on(client: Client) -> None:
    """The signal `approve` with plain JSON decides."""
    async with hosting(client, library(GATE)) as host:
        handle = await waiting_gate(host)
        await handle.signal("approve", {"step": "allow", "approver": "bob", "roles": ["boss"], "comment": "fine"})
        await handle.result()
        assert host.ledger.lines == ["note after"]


async def test_reject_signal_fails_the_run(client: Client) -> None:
    """The signal `reject` fails the run with type `rejected`."""
    async with hosting(client, library(GATE)) as host:
        handle = await waiting_gate(host)
        await handle.signal("reject", {"step": "allow", "approver": "alice", "comment": "too dear"})
        assert (await failure_of(handle)).type == "rejected"


@pytest.mark.parametrize("data", [None, "text", {}, {"step": 5, "approver": ["x"], "roles": "boss"}])
async def test_malformed_approval_changes_nothing(client: Client, data: Any) -> None:
    """A signal cannot be refused: one that decides nothing leaves the approval waiting."""
    async with hosting(client, library(GATE)) as host:
        handle = await waiting_gate(host)
        await handle.signal("approve", data)
        assert (await waiting_approval(handle))["step"] == "allow"
        await handle.terminate()


async def test_update_decides_and_says_what_became_of_it(client: Client) -> None:
    """The update returns whether the step still waits for more decisions."""
    two = plan("two", *chain(approval("allow", quorum=2), act("after")))
    async with hosting(client, library(two)) as host:
        handle = await host.start("two", {})
        await waiting_approval(handle)
        first = await handle.execute_update("decide", YES)
        assert first == {"step": "allow", "approved": True, "waiting": True}
        second = await handle.execute_update("decide", YES | {"approver": "bob"})
        assert second["waiting"] is False
        await handle.result()


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([YES | {"approver": "mallory"}], "mallory may not decide"),
        ([YES | {"step": "nowhere"}], "`nowhere` is no approval"),
        ([YES | {"decision": "perhaps"}], '"approve" or "reject"'),
        ([YES | {"decision": ["approve"]}], '"approve" or "reject"'),
        ([YES | {"approver": ""}], "who decides"),
        ([{"decision": "approve", "approver": "alice"}], "which step"),
        ([YES | {"vote": 1}], "Unknown: vote"),
        (["yes"], "one JSON object"),
        ([], "one JSON object"),
    ],
)
async def test_bad_decision_is_refused_with_its_reason(client: Client, values: list[Any], reason: str) -> None:
    """The update's validator refuses a decision that cannot be taken, and leaves no trace in the history."""
    async with hosting(client, library(GATE)) as host:
        handle = await waiting_gate(host)
        before = len((await handle.fetch_history()).events)
        assert reason in await refused(handle, *values)
        kinds = [event.WhichOneof("attributes") for event in (await handle.fetch_history()).events[before:]]
        assert not [kind for kind in kinds if kind and "update" in kind]
        await handle.terminate()


async def test_decision_that_comes_with_the_start_finds_its_approval(client: Client) -> None:
    """An update that is there before the first task is validated against the run that has begun."""
    async with hosting(client, library(GATE)) as host:
        start: Any = WithStartWorkflowOperation(
            "gate",
            args=[{}],
            id=f"gate/{host.queue}",
            task_queue=host.queue,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
        )
        update = await client.start_update_with_start_workflow(
            "decide", args=[YES], start_workflow_operation=start, wait_for_stage=WorkflowUpdateStage.COMPLETED
        )
        assert (await update.result())["approved"] is True
        await (await start.workflow_handle()).result()


async def test_two_decisions_at_once_are_taken_once(client: Client) -> None:
    """Of two decisions that both passed the validator, the one that comes too late fails."""
    queue = f"q{uuid.uuid4().hex[:8]}"
    handle: Run = await client.start_workflow("gate", args=[{}], id=f"gate/{queue}", task_queue=queue)
    updates = [asyncio.create_task(handle.execute_update("decide", YES, id=name)) for name in ("one", "two")]
    async with hosting(client, library(GATE), queue=queue):
        outcomes = await asyncio.gather(*updates, return_exceptions=True)
        await handle.result()
    assert sorted(isinstance(outcome, WorkflowUpdateFailedError) for outcome in outcomes) == [False, True]


async def test_signals_of_a_definition_are_described(client: Client) -> None:
    """The run's metadata say which step awaits a signal."""
    steps = chain(receive("paid", "payment"), act("c"))
    async with hosting(client, library(plan("described", *steps, signals=("payment",)))) as host:
        handle = await host.start("described", {})
        metadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
        described = {entry.name: entry.description for entry in metadata.definition.signal_definitions}
        assert described["payment"] == "Awaited by: paid"
        await handle.terminate()

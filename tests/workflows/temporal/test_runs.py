"""Runs of small plans on the real server: what they do, how they end, what people see of them."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError
from temporalio.exceptions import CancelledError
from temporalio.testing import WorkflowEnvironment

from tests.workflows.temporal.hosting import BROKEN, hosting
from tests.workflows.temporal.plans import LOCAL, REMOTE, act, approval, chain, library, plan, undo
from tests.workflows.temporal.watching import attributes_of, failure_of, waiting_approval
from workflows.temporal.course import Move


async def test_run_carries_out_its_steps_in_order(client: Client) -> None:
    """A run started by its plain name carries out its steps and returns the last one's output."""
    steps = chain(act("a"), act("b"), act("c", args={"from": "${ steps.a.output.given.n }"}))
    async with hosting(client, library(plan("three", *steps))) as host:
        result = await host.execute("three", {"n": 5})
        assert host.ledger.lines == ["note a", "note b", "note c"]
        assert result["given"] == {"from": 5}


async def test_local_steps_take_one_workflow_task(client: Client) -> None:
    """Three local steps are done in the run's first workflow task."""
    steps = chain(act("a", execution=LOCAL), act("b", execution=LOCAL), act("c", execution=LOCAL))
    async with hosting(client, library(plan("three-local", *steps))) as host:
        handle = await host.start("three-local", {})
        await handle.result()
        kinds = [event.event_type for event in (await handle.fetch_history()).events]
        assert kinds.count(EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED) == 1


@pytest.mark.parametrize("given", [None, 0, "text", [1, 2], {"a": {"b": [None]}}, True, 1.5])
async def test_input_may_be_any_json(client: Client, given: Any) -> None:
    """The one argument is any JSON value."""
    async with hosting(client, library(plan("any-input", act("a")))) as host:
        assert (await host.execute("any-input", given))["given"] == given


async def test_no_input_is_an_empty_object(client: Client) -> None:
    """A run started without an argument has the input `{}`."""
    async with hosting(client, library(plan("no-input", act("a")))) as host:
        assert (await host.execute("no-input"))["given"] == {}


@pytest.mark.parametrize("values", [({}, {}), ({}, {"$saga": {"state": {}}}), (1, 2, 3)])
async def test_several_arguments_are_refused(client: Client, values: tuple[Any, ...]) -> None:
    """More than one argument fails the run at once with a plain problem, even one that looks like carried state."""
    async with hosting(client, library(plan("one-input", act("a")))) as host:
        error = await failure_of(await host.start("one-input", *values))
        assert error.type == "validation"
        assert f"got {len(values)}" in error.message
        assert host.ledger.lines == []


async def test_binary_input_is_refused(client: Client) -> None:
    """An argument that is no JSON fails the run at once."""
    async with hosting(client, library(plan("one-input", act("a")))) as host:
        assert "must be JSON" in (await failure_of(await host.start("one-input", b"\x00"))).message


async def test_unknown_type_fails_with_the_known_ones(client: Client) -> None:
    """A workflow type that no definition has fails the run and says which there are."""
    async with hosting(client, library(plan("known", act("a")))) as host:
        error = await failure_of(await host.start("unknown", {}))
        assert error.non_retryable
        assert "Known: known" in error.message
        assert error.details[0]["status"] == 404


async def test_failure_compensates_and_carries_the_problem(client: Client) -> None:
    """A failed step rolls back what was done, and the run fails with the step's problem in its details."""
    steps = chain(act("a", undo=undo()), act("b", undo=undo()), act("c", action="refuse"))
    async with hosting(client, library(plan("rolled-back", *steps))) as host:
        handle = await host.start("rolled-back", {})
        error = await failure_of(handle)
        assert error.type == BROKEN.type
        assert error.details[0]["detail"] == BROKEN.detail
        assert error.details[0]["instance"] == "/steps/c"
        assert [line.split("/")[0] for line in host.ledger.lines] == [
            "note a",
            "note b",
            "refuse c",
            "undo b",
            "undo a",
        ]
        assert (await attributes_of(handle))["SagaStatus"] == "compensated"


async def test_foreign_error_becomes_a_runtime_problem(client: Client) -> None:
    """An activity that raises an ordinary exception fails the step with type `runtime` and its message."""
    async with hosting(client, library(plan("foreign", act("a", action="foreign")))) as host:
        error = await failure_of(await host.start("foreign", {}))
        assert error.type == "runtime"
        assert error.details[0]["error"] == "ValueError"
        assert "not one of ours" in error.message


async def test_cancel_compensates_and_ends_as_cancelled(client: Client) -> None:
    """A cancelled run lets the step in flight settle, rolls back, also the step of unknown outcome, and is Canceled."""
    steps = chain(act("a", undo=undo()), act("b", action="hang", undo=undo()), act("c"))
    async with hosting(client, library(plan("cancelled", *steps))) as host:
        handle = await host.start("cancelled", {})
        await host.ledger.hanging.wait()
        await handle.cancel()
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()
        assert isinstance(caught.value.cause, CancelledError)
        assert [line.split("/")[0] for line in host.ledger.lines] == ["note a", "hang b", "undo b", "undo a"]
        described = await handle.describe()
        assert described.status is WorkflowExecutionStatus.CANCELED
        assert (await attributes_of(handle))["SagaStatus"] == "cancelled"


async def test_cancel_with_the_first_task_does_nothing(client: Client) -> None:
    """A run that is cancelled before its first task ends as Canceled; its steps have not run."""
    queue = f"q{uuid.uuid4().hex[:8]}"
    handle = await client.start_workflow("early", args=[{}], id=f"early/{queue}", task_queue=queue)
    await handle.cancel()
    async with hosting(client, library(plan("early", act("a", action="hang"))), queue=queue) as host:
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()
        assert isinstance(caught.value.cause, CancelledError)
        assert host.ledger.lines == []


async def test_step_that_timed_out_is_compensated(client: Client) -> None:
    """A step whose attempt ran out of time may have had its effect: its compensation runs too."""
    short = replace(REMOTE, attempt_timeout=0.2)
    steps = chain(act("a", undo=undo()), act("b", action="hang", execution=short, undo=undo()))
    async with hosting(client, library(plan("late", *steps))) as host:
        error = await failure_of(await host.start("late", {}))
        assert error.type == "timeout"
        assert host.ledger.lines == ["note a", "hang b", "undo b/compensate", "undo a/compensate"]


async def test_local_step_that_timed_out_is_compensated(client: Client) -> None:
    """A local activity that ran out of time is treated like a remote one."""
    short = replace(LOCAL, attempt_timeout=0.2)
    steps = chain(act("a", action="hang", execution=short, undo=undo()), act("b"))
    async with hosting(client, library(plan("late-local", *steps))) as host:
        error = await failure_of(await host.start("late-local", {}))
        assert (error.type, error.details[0]["outcome"]) == ("timeout", "unknown")
        assert host.ledger.lines == ["hang a", "undo a/compensate"]


async def test_step_that_no_worker_takes_is_cancelled_for_certain(client: Client) -> None:
    """A step with a single attempt that is cancelled in its queue has had no effect, so nothing is undone."""
    elsewhere = replace(REMOTE, queue=f"nobody-{uuid.uuid4().hex}")
    async with hosting(client, library(plan("queued", act("a", execution=elsewhere, undo=undo())))) as host:
        handle = await host.start("queued", {})
        while not (await handle.describe()).raw_description.pending_activities:
            pass
        await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        assert host.ledger.lines == []


async def test_days_of_waiting_can_be_skipped(time_skipping: WorkflowEnvironment) -> None:
    """On the time-skipping server an approval that nobody gives times out after its days, in no time."""
    steps = chain(act("a", undo=undo()), approval("b", timeout=30 * 86400.0), act("c"))
    async with hosting(time_skipping.client, library(plan("patient", *steps))) as host:
        handle = await host.start("patient", {})
        assert (await failure_of(handle)).type == "rejected"
        assert host.ledger.lines == ["note a", "undo a/compensate"]


async def test_run_is_found_by_its_attributes(client: Client) -> None:
    """A run that was started without attributes sets them itself."""
    async with hosting(client, library(plan("found", act("a")))) as host:
        handle = await host.start("found", {}, id=f"found/{host.queue}")
        await handle.result()
        found = await attributes_of(handle)
        assert found["SagaDefinition"] == "found"
        assert found["SagaKey"] == host.queue
        assert found["SagaStatus"] == "completed"
        assert found["SagaVersion"].startswith("1.0.0+")


async def test_ui_shows_signals_and_the_table_of_steps(client: Client) -> None:
    """The metadata that the UI asks for describe the signals and hold the live table of steps."""
    async with hosting(client, library(plan("seen", *chain(act("a"), approval("b"))))) as host:
        handle = await host.start("seen", {})
        await waiting_approval(handle)
        metadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
        described = {entry.name: entry.description for entry in metadata.definition.signal_definitions}
        assert "Approve a step" in described["approve"]
        assert "completed" in metadata.current_details
        await handle.terminate()


async def test_queries_show_state_and_plan(client: Client) -> None:
    """The queries give the state, the plan and the approvals as plain JSON."""
    async with hosting(client, library(plan("asked", *chain(act("a"), approval("b"))))) as host:
        handle = await host.start("asked", {"n": 1})
        await waiting_approval(handle)
        state, shown = await handle.query("state"), await handle.query("plan")
        assert state["input"] == {"n": 1}
        assert state["status"] == "waiting"
        assert shown["nodes"]["b"]["kind"] == "approval"
        assert [entry["step"] for entry in await handle.query("approvals")] == ["b"]
        await handle.terminate()


async def test_queries_of_a_refused_run_give_its_problem(client: Client) -> None:
    """A run that was refused at its start answers queries with the problem."""
    async with hosting(client, library(plan("refused-start", act("a")))) as host:
        handle = await host.start("refused-start", 1, 2)
        await failure_of(handle)
        assert (await handle.query("state"))["type"] == "validation"
        assert (await handle.query("plan"))["status"] == 422
        assert await handle.query("approvals") == []


async def test_sink_sees_each_event_once(client: Client) -> None:
    """The sink gets every event with its number, in order."""
    seen: list[tuple[int, str]] = []
    steps = chain(act("a"), approval("b"), act("c"))

    def sink(move: Move) -> None:
        seen.append((move.state.sequence, type(move.event).__name__))

    async with hosting(client, library(plan("sunk", *steps)), sink=sink) as host:
        handle = await host.start("sunk", {})
        await waiting_approval(handle)
        await handle.signal("approve", {"step": "b", "approver": "alice"})
        await handle.result()
    assert seen == [(1, "Begun"), (2, "Done"), (3, "Decision"), (4, "Done")]


async def test_run_that_is_refused_is_found_as_failed(client: Client) -> None:
    """The search attributes of a run that never began say so too."""
    async with hosting(client, library(plan("refused", act("a")))) as host:
        handle = await host.start("refused", 1, 2)
        await failure_of(handle)
        assert await attributes_of(handle) == {"SagaDefinition": "refused", "SagaStatus": "failed"}

"""Runs that start other runs, on the real server."""

from __future__ import annotations

import uuid

import pytest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError

from tests.workflows.temporal.hosting import hosting
from tests.workflows.temporal.plans import (
    act,
    chain,
    child,
    definition,
    foreach,
    library,
    plan,
    receive,
    template,
    undo,
)
from tests.workflows.temporal.watching import Run, attributes_of, failure_of
from workflows.language.expressions.cel import compile_expression
from workflows.language.library import pin_of
from workflows.language.plan import SagaPolicy
from workflows.temporal.starting import StartRequest, start_run

LEAF = plan("leaf", act("a"))
SLOW = plan("slow", *chain(act("a", undo=undo()), receive("b", "go")), signals=("go",))
BAD = plan("bad", act("a", action="refuse"))


async def test_parent_waits_for_its_child(client: Client) -> None:
    """The child's result is the step's output; the child is pinned, found by its attributes and knows the cause."""
    parent = plan("parent", child("c", "leaf", {"n": "${ input.n }"}, key=template("k-${ input.n }")))
    async with hosting(client, library(parent, LEAF)) as host:
        key = uuid.uuid4().hex
        started = await start_run(
            client, host.queue, StartRequest(definition(parent), {"n": key}, correlation_id="cause-1")
        )
        result = await client.get_workflow_handle(started.workflow_id).result()
        assert result["given"] == {"n": key}
        assert result["cause"] == "cause-1"
        attributes = await attributes_of(client.get_workflow_handle(f"leaf/k-{key}"))
        assert attributes["SagaVersion"] == pin_of(definition(LEAF))
        assert attributes["SagaKey"] == f"k-{key}"


async def test_parent_need_not_wait(client: Client) -> None:
    """`wait: false` goes on once the child has started, and the child outlives the parent."""
    parent = plan("parent", child("c", "slow", {}, wait=False))
    async with hosting(client, library(parent, SLOW)) as host:
        handle = await host.start("parent", {})
        result = await handle.result()
        assert result["workflow_id"] == f"{handle.id}/c"
        left: Run = client.get_workflow_handle(result["workflow_id"], run_id=result["run_id"])
        await left.signal("go", 1)
        assert await left.result() == 1


async def test_failure_of_a_child_is_the_step_s(client: Client) -> None:
    """The child's own problem reaches the parent, not Temporal's wrapping."""
    parent = plan("parent", child("c", "bad", {}))
    async with hosting(client, library(parent, BAD)) as host:
        error = await failure_of(await host.start("parent", {}))
        assert error.type == "broken"
        assert error.details[0]["detail"] == "As it was told to."


async def test_key_that_is_taken_fails_the_step(client: Client) -> None:
    """A child whose workflow id is running already fails the step with a plain problem."""
    parent = plan("parent", child("c", "slow", {}, key=template("${ input.key }")))
    key = uuid.uuid4().hex
    async with hosting(client, library(parent, SLOW)) as host:
        first = await host.start("slow", {}, id=f"slow/{key}")
        error = await failure_of(await host.start("parent", {"key": key}))
        assert f"slow/{key} is already running" in error.message
        await first.terminate()


async def test_cancelled_parent_cancels_its_child_and_waits_for_it(client: Client) -> None:
    """The child compensates too before the parent ends."""
    parent = plan("parent", child("c", "slow", {}))
    async with hosting(client, library(parent, SLOW)) as host:
        handle = await host.start("parent", {})
        inner: Run = client.get_workflow_handle(f"{handle.id}/c")
        while not await started_child(handle) or host.ledger.lines != ["note a"]:
            pass
        await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        assert (await inner.describe()).status is WorkflowExecutionStatus.CANCELED
        assert host.ledger.lines == ["note a", "undo a/compensate"]


async def test_child_that_is_still_being_started_is_cancelled_too(client: Client) -> None:
    """A parent that is cancelled in the task in which it starts a child waits for the child and cancels it."""
    parent = plan("parent", child("c", "slow", {}))
    queue = f"q{uuid.uuid4().hex}"
    handle: Run = await client.start_workflow("parent", args=[{}], id=f"parent/{queue}", task_queue=queue)
    await handle.cancel()
    async with hosting(client, library(parent, SLOW), queue=queue):
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        inner: Run = client.get_workflow_handle(f"{handle.id}/c")
        assert (await handle.describe()).status is WorkflowExecutionStatus.CANCELED
        assert (await inner.describe()).status is WorkflowExecutionStatus.CANCELED


async def test_failure_of_a_slice_is_the_step_s(client: Client) -> None:
    """A slice that fails brings its own problem to the parent."""
    loop = foreach("all", "${ input.items }", "one", batch=2)
    async with hosting(client, library(plan("sliced", loop, act("one", action="refuse")))) as host:
        assert (await failure_of(await host.start("sliced", {"items": [1, 2, 3]}))).type == "broken"


async def test_child_of_an_unknown_definition_fails_the_step(client: Client) -> None:
    """The child fails with the definitions that there are."""
    async with hosting(client, library(plan("parent", child("c", "nowhere", {})))) as host:
        assert "Known: parent" in (await failure_of(await host.start("parent", {}))).message


async def test_foreach_in_batches_runs_slices_as_children(client: Client) -> None:
    """Results keep the order of the items, and slices carry the parent's scope."""
    loop = foreach("all", "${ input.items }", "one", batch=2, concurrency=1)
    body = act("one", args={"item": "${ item }", "sum": "${ steps.first.output.given.base + item }"})
    first = act("first", args={"base": 100}, next="all")
    async with hosting(client, library(plan("batched", first, loop, body))) as host:
        result = await host.execute("batched", {"items": [1, 2, 3, 4, 5]})
        assert [entry["given"] for entry in result] == [{"item": n, "sum": 100 + n} for n in (1, 2, 3, 4, 5)]


async def test_failure_undoes_what_slices_did(client: Client) -> None:
    """What slices armed is compensated by their parent."""
    loop = foreach("all", "${ input.items }", "one", batch=2, next="last")
    body = act("one", undo=undo())
    async with hosting(client, library(plan("undone", loop, body, act("last", action="refuse")))) as host:
        error = await failure_of(await host.start("undone", {"items": [1, 2, 3]}))
        assert error.type == "broken"
        assert sum(line.startswith("undo") for line in host.ledger.lines) == 3


async def started_child(handle: Run) -> bool:
    """Tell whether the parent knows that its child has started."""
    kinds = [event.WhichOneof("attributes") for event in (await handle.fetch_history()).events]
    return "child_workflow_execution_started_event_attributes" in kinds


async def test_failure_undoes_what_failed_and_cancelled_slices_did(client: Client) -> None:
    """Each item that was done is undone once by the parent, which asks `saga.on` with the cause of the whole run."""
    loop = foreach("all", "${ [0, 1, 2, 3] }", "one", batch=2, concurrency=4)
    hang = act("hang", action="hang", condition=compile_expression("item == 0"), next="go")
    steps = (act("one", undo=undo(), next="hang"), hang, receive("go", "go", next="bad"), act("bad", action="refuse"))
    saga = SagaPolicy(on=frozenset({"failure"}))
    async with hosting(client, library(plan("halves", loop, *steps, saga=saga))) as host:
        handle = await host.start("halves", {})
        await host.ledger.hanging.wait()
        while sum(line.startswith("note") for line in host.ledger.lines) < 4:
            await handle.describe()
        await client.get_workflow_handle(f"{handle.id}/all[2-3]").signal("go", None)
        error = await failure_of(handle)
        undone = [line.split(" ")[1] for line in host.ledger.lines if line.startswith("undo")]
        assert sorted(undone) == [f"all[{number}]/one/compensate" for number in range(4)]
        assert sorted(error.details[0]["undone"]) == [f"all[{number}]/one" for number in range(4)]
        assert error.details[0]["saga_status"] == "compensated"

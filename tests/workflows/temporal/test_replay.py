"""Recorded histories replay, whatever happened in them, and the same events lead to the same commands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from tests.workflows.temporal.hosting import Host, hosting
from tests.workflows.temporal.plans import (
    LOCAL,
    act,
    approval,
    chain,
    child,
    foreach,
    library,
    pause,
    plan,
    receive,
    repeat,
    undo,
)
from tests.workflows.temporal.watching import Run, waiting_approval
from workflows.temporal.classes import workflow_classes

LOADED = library(
    plan("leaf", act("a", execution=LOCAL)),
    plan("saga", *chain(act("a", undo=undo()), act("b", undo=undo(), execution=LOCAL), act("c", action="refuse"))),
    plan("fan", foreach("all", "${ input.items }", "one", next="more"), act("one"), child("more", "leaf")),
    plan("gate", *chain(approval("allow", timeout=3600.0), act("a"), receive("got", "go"), act("b")), signals=("go",)),
    plan("timer", *chain(pause("sleep", "100ms"), act("a"))),
    plan("loop", repeat("all", "one", "index >= 9"), act("one", undo=undo())),
    plan("hang", *chain(act("a", undo=undo()), act("b", action="hang", undo=undo()))),
)
CONTINUE_AFTER = 40


async def plain(host: Host, name: str) -> Run:
    """A run that goes on by itself."""
    handle: Run = await host.start(name, {"items": [1, 2, 3, 4]})
    return handle


async def decided(host: Host, name: str) -> Run:
    """A run that people and messages move on."""
    handle: Run = await host.start(name, {})
    await waiting_approval(handle)
    await handle.signal("noise", {"n": 1})
    await handle.signal("go", 1)
    await handle.execute_update("decide", {"step": "allow", "decision": "approve", "approver": "alice"})
    return handle


async def cancelled(host: Host, name: str) -> Run:
    """A run that is cancelled while a step runs."""
    handle: Run = await host.start(name, {})
    await host.ledger.hanging.wait()
    await handle.cancel()
    return handle


SCENES: list[tuple[str, Callable[[Host, str], Awaitable[Run]]]] = [
    ("saga", plain),
    ("fan", plain),
    ("gate", decided),
    ("timer", plain),
    ("loop", plain),
    ("hang", cancelled),
]


async def ended(handle: Run) -> WorkflowHistory:
    """Wait for the end of a run, however it ends, and return the history of its first execution."""
    with suppress(WorkflowFailureError):
        await handle.result()
    return await handle.fetch_history()


@pytest.mark.parametrize(("name", "scene"), SCENES)
async def test_history_replays(client: Client, name: str, scene: Callable[[Host, str], Awaitable[Run]]) -> None:
    """A worker that keeps nothing in memory replays at every task, and the Replayer agrees afterwards."""
    async with hosting(client, LOADED, cached=0, continue_after=CONTINUE_AFTER) as host:
        history = await ended(await scene(host, name))
    kinds = [event.WhichOneof("attributes") for event in history.events]
    assert "workflow_task_failed_event_attributes" not in kinds
    await Replayer(
        workflows=workflow_classes(lambda: LOADED, continue_after=CONTINUE_AFTER),
        workflow_runner=UnsandboxedWorkflowRunner(),
    ).replay_workflow(history)


@pytest.mark.parametrize(("name", "given"), [("nothing", [{}]), ("saga@9.0.0", [{}]), ("saga", ["{", "}"])])
async def test_run_that_was_refused_at_its_start_replays(client: Client, name: str, given: list[Any]) -> None:
    """To its refusal, also where what it was named after is there by now: no rebuild stumbles over a misspelling."""
    async with hosting(client, LOADED) as host:
        handle: Run = await client.start_workflow(name, args=given, id=f"{name}/{host.queue}", task_queue=host.queue)
        history = await ended(handle)
    later = library(plan("nothing", act("a")), plan("saga", act("a"), version="9.0.0"))
    for loaded in (LOADED, later):
        workflows = workflow_classes(lambda loaded=loaded: loaded)  # type: ignore[misc]  # a default binds it
        replayer = Replayer(workflows=workflows, workflow_runner=UnsandboxedWorkflowRunner())
        await replayer.replay_workflow(history)


async def test_same_input_gives_the_same_history(client: Client) -> None:
    """Two runs with the same input ask Temporal for the same things in the same order."""
    async with hosting(client, LOADED) as host:
        told = [commands(await ended(await plain(host, "saga"))) for _ in range(2)]
    assert told[0] == told[1]
    assert [step for kind, step in told[0] if kind == "activity"] == ["a", "c", "b/compensate", "a/compensate"]


def commands(history: WorkflowHistory) -> list[tuple[str, Any]]:
    """What the run asked for, without times and ids that the server makes."""
    told: list[tuple[str, Any]] = []
    for event in history.events:
        match event.WhichOneof("attributes"):
            case "activity_task_scheduled_event_attributes":
                told.append(("activity", event.activity_task_scheduled_event_attributes.activity_id))
            case "upsert_workflow_search_attributes_event_attributes":
                fields = event.upsert_workflow_search_attributes_event_attributes.search_attributes.indexed_fields
                told.append(("attributes", {name: fields[name].data for name in sorted(fields) if name != "SagaKey"}))
            case "marker_recorded_event_attributes":
                told.append(("marker", event.marker_recorded_event_attributes.marker_name))
            case other:
                told.append(("event", other))
    return told

"""Lifecycle events: what they say, and how they come from a run on the real server to the outbox."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError

from contracts.envelope import Event
from contracts.json import Json
from contracts.problems import Problem
from store.database import Database
from tests.workers.scraping import Scrape
from tests.workers.test_telling import nothing, writing
from tests.workflows.temporal.hosting import Host, hosting
from tests.workflows.temporal.plans import act, approval, chain, plan, undo
from tests.workflows.temporal.watching import waiting_approval
from workers.changes import ChangeSink, RunEnded
from workers.lifecycle import LifecycleTeller
from workers.telling import EventQueue, OutboxWriter
from workflows.engine.advance import advance, new_state
from workflows.engine.events import Begun, Failed, RunInfo
from workflows.language.library import Library
from workflows.language.plan import Plan
from workflows.language.triggers import Definition
from workflows.language.watching import MOMENTS, Moment
from workflows.temporal.course import Move

ROLLED_BACK = plan("rolled-back", *chain(act("a", undo=undo()), approval("b"), act("c", "refuse")))


def library_of(entry: Plan, *lifecycle: Moment) -> Library:
    """The library of one definition that tells these moments."""
    return Library.of([Definition(entry, lifecycle=lifecycle)])


def told_of(entry: Plan, *lifecycle: Moment, problem: Problem | None = None) -> list[Event]:
    """Return what is told of a run whose first step breaks with a problem."""
    told: list[Event] = []
    library = library_of(entry, *lifecycle)
    sink = ChangeSink(LifecycleTeller(lambda: library, told.append, "test").changed)
    state = new_state(entry)
    for event in (
        Begun(1000, RunInfo("r", "p/k", "k", "c"), {}),
        Failed(3500, "a", problem or Problem("broken", "It broke")),
    ):
        state, commands = advance(entry, state, event)
        sink(Move(entry, state, event, commands, "x"))
    return told


def test_only_what_is_asked_for_is_told() -> None:
    """A definition that asks for nothing tells nothing."""
    entry = plan("p", act("a"))
    assert told_of(entry) == []
    assert [event.type for event in told_of(entry, "failed")] == ["workflow.failed"]
    assert [event.type for event in told_of(entry, *MOMENTS)] == [
        "workflow.started",
        "workflow.step.failed",
        "workflow.failed",
    ]


def test_event_tells_the_run_and_what_happened() -> None:
    """In the row of the run's key, tied to the event that the run came from."""
    _, step, ended = told_of(plan("p", act("a")), *MOMENTS)
    run: dict[str, Json] = {
        "definition": "p",
        "version": "1.0.0",
        "run_id": "r",
        "workflow_id": "p/k",
        "key": "k",
        "status": "failed",
    }
    assert step.data == run | {"step": "a", "compensation": False, "duration_ms": 2500, "detail": "It broke"}
    problem = {"type": "broken", "title": "It broke", "status": 500, "instance": "/steps/a"}
    assert ended.data == run | {"duration_ms": 2500, "problem": problem}
    assert ended.metadata == {"group_id": "k", "correlation_id": "c"}
    assert (ended.source, ended.version, ended.time.timestamp()) == ("test", "1.0", 3.5)


def test_ids_are_the_same_again_and_never_shared() -> None:
    """A workflow task that is carried out again gives the same events."""
    entry = plan("p", act("a"))
    first, second = (told_of(entry, *MOMENTS) for _ in range(2))
    assert first == second
    assert len({event.id for event in first}) == len(first)


def test_event_stays_small() -> None:
    """Whatever a problem carries."""
    huge = Problem("broken", "t" * 10_000, detail="d" * 100_000, extensions={"body": "x" * 1_000_000})
    told = told_of(plan("p", act("a")), *MOMENTS, problem=huge)
    assert max(len(json.dumps(event.to_json())) for event in told) < 10_000


def test_ends_that_are_no_moments_are_not_told() -> None:
    """Should the engine ever know another one."""
    told: list[Event] = []
    library = library_of(plan("p", act("a")), *MOMENTS)
    teller = LifecycleTeller(lambda: library, told.append, "test")
    teller.changed(1, new_state(plan("p", act("a"))), RunEnded("exploded", timedelta(0)))
    assert told == []


async def carried_out(host: Host) -> Any:
    """Run it to its end and return its handle."""
    handle = await host.start("rolled-back", {}, id=f"rolled-back/{host.queue}")
    await waiting_approval(handle)
    await handle.signal("approve", {"step": "b", "approver": "ann"})
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    return handle


async def test_run_tells_its_life_by_the_outbox(client: Client, database: Database, scrape: Scrape) -> None:
    """In order, and without a single event more in its history."""
    lengths: list[int] = []
    for moments in ((), MOMENTS):
        library, queue = library_of(ROLLED_BACK, *moments), EventQueue(scrape.metrics)
        sink = ChangeSink(LifecycleTeller(partial(library_of, ROLLED_BACK, *moments), queue.put, "test").changed)
        writer = OutboxWriter(database, queue, scrape.metrics, nothing)
        async with writing(writer), hosting(client, library, sink=sink) as host:
            handle = await carried_out(host)
        lengths.append(len((await handle.fetch_history()).events))
    assert lengths[0] == lengths[1]
    envelopes = [
        json.loads(row["envelope"]) for row in await database.fetch("select envelope from saga.outbox order by id")
    ]
    assert [envelope["event_type"] for envelope in envelopes] == [
        "workflow.started",
        "workflow.step.completed",
        "workflow.waiting",
        "workflow.step.completed",
        "workflow.step.failed",
        "workflow.compensating",
        "workflow.step.completed",
        "workflow.compensated",
    ]
    assert {envelope["metadata"]["group_id"] for envelope in envelopes} == {envelopes[0]["data"]["key"]}
    assert [envelope["data"].get("step") for envelope in envelopes] == [
        None,
        "a",
        "b",
        "b",
        "c",
        None,
        "a/compensate",
        None,
    ]
    assert envelopes[2]["data"]["title"] == "May b?"
    assert scrape.values("saga.lifecycle.written") == {(): 8}
    assert scrape.values("saga.lifecycle.dropped") == {(): 0}

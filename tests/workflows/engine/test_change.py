"""What an event changed, as rows: complete, the same for the same events, and enough to make every state again."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.problems import Problem
from tests.workflows.engine.plans import plans
from tests.workflows.engine.runs import begun
from tests.workflows.engine.test_properties import Fate, unhurried
from tests.workflows.engine.world import World
from workflows.engine.advance import advance, new_state
from workflows.engine.change import FIRST_WHOLE, Change, change_of, keeps_whole
from workflows.engine.event_serial import event_from_json, event_to_json
from workflows.engine.events import (
    Begun,
    CancelRequested,
    Continued,
    Decision,
    Done,
    DrainRequested,
    Event,
    Failed,
    Fired,
    Message,
    RunInfo,
    Slice,
)
from workflows.engine.serial import state_from_json, state_to_json
from workflows.language.plan import Plan

EVENTS: list[Event] = [
    Begun(1, RunInfo("r", "w/k", "k"), {"n": 1}),
    Begun(1, RunInfo("r", "w/k", "k", "c"), None, Slice("all", "p/", 3, [1], {"a": {}}, {"i": 1}, {"v": 2}, {"id": 1})),
    Continued(2),
    DrainRequested(3),
    Done(4, "a", {"x": [1, None]}),
    Done(4, "a", None, ({"path": "b"},), {"v": 1}, whole=True),
    Failed(5, "a", Problem("broken", "", 409, "why", "/steps/a", "unknown", {"left": [1]}), ({"path": "b"},)),
    Fired(6, "a/timeout"),
    Message(7, "paid", [1], {"id": "e"}, "m"),
    Decision(8, "a", False, "alice", ("boss",), "no", {"b": 1}, "update", "m"),
    CancelRequested(9, "enough"),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_event_survives_its_json_form(event: Event) -> None:
    """Each kind, with and without the members that may be left out."""
    assert event_from_json(json.loads(json.dumps(event_to_json(event)))) == event


def changed(plan: Plan, world: World) -> list[Change]:
    """The change of each event of a run."""
    state, found = new_state(plan), []
    for event in world.events:
        state, commands = advance(plan, state, event)
        found.append(change_of(plan, state, event, commands, "x"))
    return found


def lived(plan: Plan, seed: int) -> World:
    """A run of the plan, lived to its end."""
    world = World(plan, Fate(seed))
    world.run()
    return world


@settings(unhurried, max_examples=300)
@given(plans(), st.integers(0, 2**64 - 1))
def test_states_are_made_again_from_changes(plan: Plan, seed: int) -> None:
    """The last whole state before a number, advanced over the events behind it, is the state at that number."""
    world = lived(plan, seed)
    true, again = new_state(plan), new_state(plan)
    for event, change in zip(world.events, changed(plan, world), strict=True):
        true, _ = advance(plan, true, event)
        again, _ = advance(plan, again, event_from_json(json.loads(change.snapshot.event)))
        assert again == true
        if change.snapshot.state is not None:
            again = state_from_json(json.loads(change.snapshot.state))
            assert again == true


@settings(unhurried, max_examples=300)
@given(plans(), st.integers(0, 2**64 - 1))
def test_rows_tell_what_the_state_tells(plan: Plan, seed: int) -> None:
    """Of each step the last row is the record of the state; at the end nothing stands open."""
    world = lived(plan, seed)
    found = changed(plan, world)
    steps = {row.path: row for change in found for row in change.steps}
    records = state_to_json(world.state)["records"]
    assert isinstance(records, list)
    assert {entry["path"] for entry in records if isinstance(entry, dict)} <= set(steps)
    assert not [row for row in steps.values() if row.ended_at is None]
    assert not [
        row for row in {row.path: row for change in found for row in change.approvals}.values() if not row.outcome
    ]
    assert [change.run.sequence for change in found] == list(range(1, len(found) + 1))
    assert [change.run.ended_at is not None for change in found][-2:] in ([False, True], [True])
    assert found[-1].run.status == world.state.status
    assert all(after.run.changed_at >= before.run.changed_at for before, after in pairwise(found))


def test_whole_states_take_as_much_as_the_run() -> None:
    """They are kept at numbers that double, where an execution goes on, and at the end."""
    kept = [number for number in range(1, 200) if keeps_whole(number, Fired(0, "t"), ended=False)]
    assert kept == [FIRST_WHOLE, 32, 64, 128]
    assert keeps_whole(3, Continued(0), ended=False)
    assert keeps_whole(3, Fired(0, "t"), ended=True)


def test_state_documents_do_not_tell_what_was_touched() -> None:
    """What the latest event touched is no part of the state."""
    run = begun("steps: [{id: a, action: do}]")
    assert run.state.touched.records.keys() == {"a"}
    assert "touched" not in state_to_json(run.state)
    assert state_from_json(state_to_json(run.state)) == run.state
    run.message("other")
    assert not run.state.touched.records


def test_odd_texts_can_be_stored() -> None:
    """NUL, halves of surrogate pairs and numbers that are none are replaced in the rows alone."""
    run = begun("steps: [{id: a, action: do}]")
    run.failed("a", "bro\x00ken")
    change = change_of(run.plan, run.state, Message(1, "x", ["\x00", "\ud800", float("nan"), "\\u0000"]), run.last, "x")
    assert change.run.problem_type == "bro\ufffdken"
    assert json.loads(change.snapshot.event)["data"] == ["\ufffd", "\ufffd", "nan", "\\u0000"]

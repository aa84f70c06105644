"""What begins and ends with a state, by the engine's own states."""

from __future__ import annotations

from datetime import timedelta

from contracts.json import Json
from contracts.problems import Problem
from tests.workflows.temporal.plans import act, approval, chain, foreach, plan, undo
from workers.changes import (
    Change,
    ChangeSink,
    MessagesRefused,
    RunCompensating,
    RunEnded,
    RunStarted,
    StepEnded,
    StepWaiting,
)
from workers.sinks import both
from workflows.engine.advance import advance, new_state
from workflows.engine.events import Begun, Decision, Done, Event, Failed, Message, MessageRefused, RunInfo
from workflows.engine.serial import copy_of
from workflows.engine.state import State
from workflows.language.plan import Plan
from workflows.temporal.course import Move

BROKEN = Problem("broken", "It broke", detail="no power")


def second(seconds: float) -> timedelta:
    """A span."""
    return timedelta(seconds=seconds)


class Course:
    """A run whose changes are kept."""

    def __init__(self, entry: Plan, given: Json = None, at: int = 1000) -> None:
        """Begin it."""
        self.plan, self.state = entry, new_state(entry)
        self.changes: list[Change] = []
        self.sink = ChangeSink(self._take)
        self.take(Begun(at, RunInfo("r", f"{entry.id}/k", "k"), given))

    def _take(self, sequence: int, state: State, change: Change) -> None:
        assert sequence == state.sequence
        self.changes.append(change)

    def take(self, event: Event) -> list[Change]:
        """Take an event and return what changed."""
        self.state, commands = advance(self.plan, self.state, event)
        before = len(self.changes)
        self.sink(Move(self.plan, self.state, event, commands, "execution"))
        return self.changes[before:]


def test_run_that_goes_well_starts_ends_its_steps_and_ends() -> None:
    """Each once, with how long it took."""
    course = Course(plan("p", *chain(act("a"), act("b"))))
    assert course.changes == [RunStarted()]
    assert course.take(Done(3000, "a", 1)) == [StepEnded("a", "completed", second(2), "")]
    assert course.take(Done(3500, "b", 1)) == [
        StepEnded("b", "completed", second(0.5), ""),
        RunEnded("completed", second(2.5)),
    ]


def test_what_happens_in_one_moment_is_told_once() -> None:
    """Several events of one workflow task bear the same time."""
    course = Course(plan("p", *chain(act("a"), act("b"), act("c"))))
    for step in "abc":
        course.take(Done(1000, step, 1))
    assert course.changes == [
        RunStarted(),
        *(StepEnded(step, "completed", second(0), "") for step in "abc"),
        RunEnded("completed", second(0)),
    ]


def test_run_that_fails_compensates_once_and_ends() -> None:
    """The compensations are steps, which tell what they undo."""
    course = Course(plan("p", *chain(act("a", undo=undo()), act("b", undo=undo()), act("c"))))
    course.take(Done(2000, "a", 1))
    course.take(Done(3000, "b", 1))
    failed = course.take(Failed(4000, "c", BROKEN))
    assert failed == [StepEnded("c", "failed", second(1), "no power"), RunCompensating()]
    [undone] = course.take(Done(6000, "b/compensate", None))
    assert undone == StepEnded("b/compensate", "completed", second(2), "")
    assert isinstance(undone, StepEnded)
    assert undone.step == "b/compensate"
    assert course.take(Done(6000, "a/compensate", None))[1:] == [RunEnded("compensated", second(5))]


def test_run_that_has_nothing_to_undo_does_not_compensate() -> None:
    """It fails at once."""
    course = Course(plan("p", act("a")))
    assert course.take(Failed(1000, "a", BROKEN)) == [
        StepEnded("a", "failed", second(0), "no power"),
        RunEnded("failed", second(0)),
    ]


def test_step_that_waits_for_people_is_told_with_its_question() -> None:
    """And its end when they have decided."""
    course = Course(plan("p", approval("a")))
    assert course.changes == [RunStarted(), StepWaiting("a", "May a?")]
    assert course.take(Decision(61_000, "a", approved=True, approver="ann")) == [
        StepEnded("a", "completed", second(60), "Approved by ann."),
        RunEnded("completed", second(60)),
    ]


def test_messages_that_are_refused_are_told_once() -> None:
    """What cannot be read, with the turn in which it came."""
    course = Course(plan("p", approval("a")))
    assert course.take(MessageRefused(2_000, "paid", "it is no JSON")) == [MessagesRefused(1)]
    assert course.take(Message(3_000, "paid", {})) == []


def test_items_of_a_loop_are_the_same_step() -> None:
    """The path tells the item, the step does not."""
    course = Course(plan("p", foreach("each", [1, 2], "item"), act("item")))
    [ended] = course.take(Done(2000, "each[1]/item", 1))
    assert isinstance(ended, StepEnded)
    assert (ended.path, ended.step) == ("each[1]/item", "item")


def test_another_worker_goes_on_where_the_first_one_was() -> None:
    """It remembers nothing and tells nothing again."""
    course = Course(plan("p", *chain(act("a"), act("b"))))
    course.take(Done(2000, "a", 1))
    course.sink = ChangeSink(course._take)
    assert course.take(Done(3000, "b", 1)) == [
        StepEnded("b", "completed", second(1), ""),
        RunEnded("completed", second(2)),
    ]


def test_what_a_query_has_taken_in_is_told_once() -> None:
    """A query of a run that is not in memory sees an event at an earlier moment than the workflow task does."""
    course = Course(plan("p", *chain(act("a"), act("b"))))
    asked = copy_of(course.state)
    course.take(Done(2000, "a", 1))
    course.state = asked
    assert course.take(Done(2500, "a", 1)) == []
    assert course.take(Done(3000, "b", 1))[0] == StepEnded("b", "completed", second(0.5), "")


def test_event_after_the_end_changes_nothing() -> None:
    """A run that has ended takes every event and does nothing."""
    course = Course(plan("p", act("a")))
    course.take(Done(2000, "a", 1))
    assert course.take(Done(2000, "a", 1)) == []


def test_several_sinks_are_one() -> None:
    """Each is given each state, in their order."""
    seen: list[tuple[str, int]] = []
    entry = plan("p", act("a"))
    sink = both(lambda move: seen.append((move.execution, 1)), lambda move: seen.append((move.execution, 2)))
    sink(Move(entry, new_state(entry), Done(1, "a", None), (), "r"))
    assert seen == [("r", 1), ("r", 2)]

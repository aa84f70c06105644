"""A world for the engine: answers its commands in any order, and keeps its own book of what must be undone.

The book is written from the events alone and knows nothing of the engine's state: a step that succeeded, or whose
outcome is unknown, is due to be undone, in the reverse of that order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from contracts.problems import Problem
from workflows.engine.advance import advance, new_state
from workflows.engine.commands import (
    Cancel,
    CancelRun,
    Command,
    Complete,
    ContinueAsNew,
    Fail,
    StartActivity,
    StartChild,
    StartTimer,
    UpsertAttributes,
)
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
from workflows.engine.serial import copy_of
from workflows.engine.state import State
from workflows.language.plan import Plan

CERTAIN = Problem("broken", "It broke")
UNKNOWN = Problem("timeout", "It took too long", outcome="unknown")
INFO = RunInfo("run-1", "grown/1", "1")


class Chooser(Protocol):
    """Picks what happens next."""

    def choose(self, count: int) -> int:
        """Return a number from 0 to count - 1."""


@dataclass
class World:
    """One run, driven to its end; the slices of its batched loops are worlds of their own, lived through in one go.

    Attributes:
        part: The slice that this run carries out, or None.
        doomed: Whether the slice was cancelled before it began to answer.
        flying: Operations in flight: the command that started each.
        due: Paths that must be undone, in order of completion.
        undone: Paths whose compensation was started, in order.
        ending: The command that ended the run.
    """

    plan: Plan
    chooser: Chooser
    part: Slice | None = None
    doomed: bool = False
    state: State = field(init=False)
    events: list[Event] = field(default_factory=list)
    commands: list[list[Command]] = field(default_factory=list)
    flying: dict[str, Command] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)
    due: list[str] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)
    ending: Command | None = None
    unwinding: bool = False
    upsets: int = 2
    at: int = 1_000_000

    def __post_init__(self) -> None:
        self.state = new_state(self.plan)

    def run(self, limit: int = 3000) -> None:
        """Drive the run until it ends."""
        self.give(Begun(self.at, INFO, {}, self.part))
        if self.doomed and self.ending is None:
            self.give(CancelRequested(self.at, "the whole run is cancelled"))
        while self.ending is None:
            assert len(self.events) < limit, "the run does not end"
            self.give(self._next_event())

    def give(self, event: Event) -> None:
        """Hand an event in and carry the commands out."""
        assert self.ending is None
        self.events.append(event)
        copy = copy_of(self.state)
        assert copy == self.state, "the state does not survive its JSON form"
        self.state, commands = advance(self.plan, copy, event)
        self.commands.append(commands)
        for command in commands:
            self._carry_out(command)
        if self.state.phase != "running":
            self._check_unwinding()

    def _carry_out(self, command: Command) -> None:
        assert self.ending is None, f"{command} after the end"
        match command:
            case StartActivity() | StartTimer() | StartChild():
                self._start(command)
            case Cancel(identity):
                assert identity in self.flying, f"{identity} is cancelled but not in flight"
                if isinstance(self.flying[identity], StartTimer) or "reminder" in identity:
                    del self.flying[identity]
                else:
                    assert identity not in self.cancelled, f"{identity} is cancelled twice"
                    self.cancelled.add(identity)
            case Complete() | Fail() | CancelRun():
                working = [identity for identity, flying in self.flying.items() if not isinstance(flying, StartTimer)]
                assert not working, f"the run ended with {working} in flight"
                self.ending = command
            case ContinueAsNew():
                self._continue()
            case UpsertAttributes(values):
                assert values

    def _start(self, command: StartActivity | StartTimer | StartChild) -> None:
        assert command.id not in self.flying, f"{command.id} is in flight already"
        undoing = [identity for identity in self.flying if identity.endswith("/compensate")]
        self.flying[command.id] = command
        if isinstance(command, StartTimer):
            return
        if command.id.endswith("/compensate"):
            assert not undoing or self.plan.saga.order == "parallel", f"{command.id} did not wait for {undoing}"
            self.undone.append(command.id.removesuffix("/compensate"))
        else:
            assert not self.unwinding, f"{command.id} started while the run unwinds"

    def _continue(self) -> None:
        left = [identity for identity, command in self.flying.items() if not isinstance(command, StartTimer)]
        assert not left, f"continued with {left} in flight"
        self.flying.clear()
        self.give(Continued(self.at))

    def _check_unwinding(self) -> None:
        self.unwinding = True
        if self.state.phase == "settling":
            for identity, command in self.flying.items():
                assert not isinstance(command, StartTimer), f"{identity} is a timer of a run that unwinds"
                assert identity in self.cancelled, f"{identity} is not cancelled"

    def _next_event(self) -> Event:
        self.at += 500
        if self.upsets and self.chooser.choose(12) == 0:
            self.upsets -= 1
            return self._upset()
        waits = list(self.state.waits)
        flying = list(self.flying)
        number = self.chooser.choose(len(flying) + len(waits)) if flying or waits else -1
        assert number >= 0, "nothing is in flight, nothing waits, and the run has not ended"
        return self._answer(flying[number]) if number < len(flying) else self._come(waits[number - len(flying)])

    def _upset(self) -> Event:
        match self.chooser.choose(4):
            case 0:
                return CancelRequested(self.at, "enough")
            case 1:
                return DrainRequested(self.at)
            case 2:
                return Message(self.at, "paid", {"n": 1}, message_id=f"m{self.chooser.choose(3)}")
            case _:
                return Decision(self.at, "approval-1", self.chooser.choose(2) == 0, "alice")

    def _come(self, path: str) -> Event:
        if self.state.waits[path].node.startswith("receive"):
            return Message(self.at, "paid", {"n": 2})
        return Decision(self.at, path, self.chooser.choose(3) > 0, "alice")

    def _answer(self, identity: str) -> Event:
        command = self.flying.pop(identity)
        doomed = identity in self.cancelled
        self.cancelled.discard(identity)
        if isinstance(command, StartTimer):
            self.at += round(command.seconds * 1000)
            return Fired(self.at, identity)
        if isinstance(command, StartChild) and isinstance(command.slice, dict):
            return self._live_through(command, command.slice, doomed)
        match self.chooser.choose(8):
            case 0 | 1:
                return Failed(self.at, identity, CERTAIN)
            case 2:
                self._owe(command)
                return Failed(self.at, identity, UNKNOWN)
            case _:
                self._owe(command)
                return self._done(command)

    def _done(self, command: Command) -> Event:
        assert isinstance(command, StartActivity | StartChild)
        return Done(self.at, command.id, {"ok": True})

    def _live_through(self, command: StartChild, part: dict[str, Any], doomed: bool) -> Event:
        child = World(self.plan, self.chooser, Slice(**part), doomed, at=self.at)
        child.run()
        assert child.undone == [], "a slice undoes nothing by itself"
        self.at = child.at
        self.due += child.due
        match child.ending:
            case Complete(result, armed, variables, whole):
                return Done(self.at, command.id, result, armed, variables, whole)
            case Fail(problem, armed):
                return Failed(self.at, command.id, problem, armed)
            case _:
                return Failed(self.at, command.id, UNKNOWN)

    def _owe(self, command: Command) -> None:
        assert isinstance(command, StartActivity | StartChild)
        node = self.plan.nodes.get(command.id.rpartition("/")[2])
        if getattr(node, "undo", None) is not None:
            self.due.append(command.id)


def check(world: World) -> None:
    """Hold a run that has ended against the book."""
    if isinstance(world.ending, Complete):
        assert world.undone == [], "a run that ended well was undone"
        return
    if world.plan.saga.order == "reverse":
        assert world.undone == world.due[::-1], f"undone {world.undone}, due {world.due[::-1]}"
    else:
        assert sorted(world.undone) == sorted(world.due)
    assert len(set(world.undone)) == len(world.undone)


def replayed(world: World) -> tuple[State, list[list[Command]]]:
    """Give the same events to a fresh state."""
    state, commands = new_state(world.plan), []
    for event in world.events:
        state, asked = advance(world.plan, state, event)
        commands.append(asked)
    return state, commands

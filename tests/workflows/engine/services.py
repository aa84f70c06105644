"""Outside services for the engine's tests: they keep effects by idempotency key, as real ones do.

A key that was seen does nothing again; a compensation takes away the effect of the key that it undoes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from contracts.problems import Problem
from tests.workflows.engine.world import CERTAIN, UNKNOWN, Chooser
from workflows.engine.advance import advance, new_state
from workflows.engine.commands import (
    Cancel,
    CancelRun,
    Command,
    Complete,
    Fail,
    StartActivity,
    StartChild,
    StartTimer,
)
from workflows.engine.events import (
    Begun,
    CancelRequested,
    Decision,
    Done,
    Event,
    Failed,
    Fired,
    Message,
    Resumed,
    RunInfo,
)
from workflows.engine.past import Segment
from workflows.engine.redriving import Resumption
from workflows.engine.serial import copy_of, state_to_json
from workflows.engine.state import State
from workflows.language.plan import Plan


@dataclass
class Services:
    """What stands outside: the step of each effect, by idempotency key."""

    effects: dict[str, str] = field(default_factory=dict)

    def take(self, command: StartActivity) -> None:
        """Carry an action out."""
        context = command.context
        if context.undoes is None:
            self.effects[context.idempotency_key] = command.id
        else:
            self.effects.pop(context.undoes, None)

    def standing(self) -> list[str]:
        """The steps whose effect stands, once for each effect."""
        return sorted(self.effects.values())


@dataclass
class Life:
    """One run against the services, from its beginning or from where another one had come.

    Attributes:
        mishaps: How many steps or compensations may go wrong, and cancel requests come.
    """

    plan: Plan
    chooser: Chooser
    services: Services
    number: int = 1
    mishaps: int = 1
    undo_mishaps: int = 0
    resumption: Resumption | None = None
    past: tuple[Segment, ...] = ()
    at: int = 1_000_000
    state: State = field(init=False)
    events: list[Event] = field(default_factory=list)
    flying: dict[str, StartActivity | StartTimer | StartChild] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)
    done: list[str] = field(default_factory=list)
    ending: Command | None = None

    def live(self, limit: int = 2000) -> Life:
        """Go on until the run ends."""
        self._begin()
        while self.ending is None:
            assert len(self.events) < limit, "the run does not end"
            self._give(self._next())
        return self

    def whole_past(self) -> tuple[Segment, ...]:
        """All that happened, with what happened to the runs before."""
        begun_from = None if self.resumption is None else state_to_json(self.resumption.state)
        return (*self.past, Segment(self.plan, tuple(self.events), begun_from))

    def _begin(self) -> None:
        info = RunInfo(f"run-{self.number}", "grown/1", "1")
        if self.resumption is None:
            self.state = new_state(self.plan)
            self._give(Begun(self.at, info, {}))
            return
        self.state = copy_of(self.resumption.state)
        self._give(Resumed(self.at, info, self.resumption.since, tuple(self.resumption.landed)))

    def _give(self, event: Event) -> None:
        self.events.append(event)
        self.state, commands = advance(self.plan, self.state, event)
        for command in commands:
            self._carry_out(command)

    def _carry_out(self, command: Command) -> None:
        match command:
            case StartActivity() | StartTimer() | StartChild():
                assert command.id not in self.flying, f"{command.id} is in flight already"
                self.flying[command.id] = command
            case Cancel(identity) if identity in self._handed_over() - set(self.flying):
                pass  # its answer is on its way, as in the shell, which knows no such operation
            case Cancel(identity) if isinstance(self.flying[identity], StartTimer):
                del self.flying[identity]
            case Cancel(identity):
                self.cancelled.add(identity)
            case Complete() | Fail() | CancelRun():
                self.ending = command

    def _handed_over(self) -> set[str]:
        """What the run before had an answer of."""
        landed = () if self.resumption is None else self.resumption.landed
        return {str(document["id"]) for document in landed if isinstance(document, dict) and "id" in document}

    def _next(self) -> Event:
        self.at += 500
        waits, flying = list(self.state.waits), list(self.flying)
        assert waits or flying, "nothing is in flight, nothing waits, and the run has not ended"
        if self.mishaps and self.state.phase == "running" and self.chooser.choose(15) == 0:
            self.mishaps -= 1
            return CancelRequested(self.at, "enough")
        number = self.chooser.choose(len(flying) + len(waits))
        return self._answer(flying[number]) if number < len(flying) else self._come(waits[number - len(flying)])

    def _come(self, path: str) -> Event:
        if self.state.waits[path].node.startswith("receive"):
            return Message(self.at, "paid", {"n": 2})
        approved = not self._goes_wrong(2)
        return Decision(self.at, path, approved, "alice")

    def _answer(self, identity: str) -> Event:
        command = self.flying.pop(identity)
        if isinstance(command, StartTimer):
            self.at += round(command.seconds * 1000)
            return Fired(self.at, identity)
        problem = self._problem(identity)
        self.cancelled.discard(identity)
        if isinstance(command, StartActivity) and (problem is None or (problem is UNKNOWN and self._coin())):
            self.services.take(command)
        return self._done(identity) if problem is None else Failed(self.at, identity, problem)

    def _done(self, identity: str) -> Event:
        self.done.append(identity)
        return Done(self.at, identity, {"ok": True})

    def _problem(self, identity: str) -> Problem | None:
        if identity in self.cancelled:
            return (None, CERTAIN, UNKNOWN)[self.chooser.choose(3)]
        if identity.endswith("/compensate"):
            if self.undo_mishaps and self._coin():
                self.undo_mishaps -= 1
                return CERTAIN
            return None
        return (CERTAIN, UNKNOWN)[self.chooser.choose(2)] if self._goes_wrong(4) else None

    def _goes_wrong(self, one_in: int) -> bool:
        wrong = self.mishaps > 0 and self.chooser.choose(one_in) == 0
        self.mishaps -= wrong
        return wrong

    def _coin(self) -> bool:
        return self.chooser.choose(2) == 0

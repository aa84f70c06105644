"""Runs written down: a definition, what happens to it, what it asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from textwrap import dedent
from typing import Any, TypeVar

from contracts.actions import ActionSpec
from contracts.json import Json
from contracts.problems import Problem
from workflows.engine.advance import advance, new_state
from workflows.engine.commands import Command, Complete, Fail, StartActivity, StartChild, StartTimer
from workflows.engine.events import Begun, Decision, Done, Event, Failed, Fired, Message, RunInfo
from workflows.engine.state import State
from workflows.language.compiler import compile_sources
from workflows.language.plan import Plan

C = TypeVar("C")

ACTIONS = {name: ActionSpec(name) for name in ("do", "undo", "event.publish", "other")}
HEAD = "id: test\nversion: 1.0.0\n"


def plan_of(text: str, *more: str) -> Plan:
    """Compile a definition (id `test` unless the text says otherwise)."""
    sources = {f"{number}.yaml": _complete(dedent(source)) for number, source in enumerate((text, *more))}
    compilation = compile_sources(sources, ACTIONS)
    assert compilation.library is not None, [str(entry) for entry in compilation.diagnostics]
    found = compilation.library.resolve("test")
    assert found is not None
    return found.plan


def _complete(text: str) -> str:
    return text if text.lstrip().startswith("id:") else HEAD + text


@dataclass
class Run:
    """One run; each method hands one event in and returns the commands."""

    plan: Plan
    given: Json = field(default_factory=dict)
    state: State = field(init=False)
    at: int = 1_700_000_000_000
    last: list[Command] = field(default_factory=list)
    all: list[Command] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = new_state(self.plan)

    def begin(self) -> Run:
        return self.give(Begun(self.at, RunInfo("r1", "test/k1", "k1"), self.given))

    def give(self, event: Event) -> Run:
        self.state, self.last = advance(self.plan, self.state, event)
        self.all += self.last
        return self

    def done(self, identity: str, output: Json = None) -> Run:
        return self.give(Done(self.at, identity, output))

    def failed(self, identity: str, kind: str = "broken", outcome: Any = "failed") -> Run:
        return self.give(Failed(self.at, identity, Problem(kind, kind, outcome=outcome)))

    def fired(self, identity: str, after: float = 0) -> Run:
        self.at += round(after * 1000)
        return self.give(Fired(self.at, identity))

    def message(self, name: str, data: Json = None, **more: Any) -> Run:
        return self.give(Message(self.at, name, data, **more))

    def decide(self, step: str, approver: str, approved: bool = True, **more: Any) -> Run:
        return self.give(Decision(self.at, step, approved, approver, **more))

    def asked(self, kind: type[C]) -> list[C]:
        """Return the commands of a kind that the last event led to."""
        return [command for command in self.last if isinstance(command, kind)]

    @property
    def started(self) -> list[str]:
        """Ids of the activities and children that the last event started."""
        return [command.id for command in self.last if isinstance(command, StartActivity | StartChild)]

    @property
    def timers(self) -> dict[str, float]:
        """Timers that the last event started, in seconds."""
        return {command.id: command.seconds for command in self.last if isinstance(command, StartTimer)}

    @property
    def args(self) -> dict[str, Json]:
        """Arguments of the activities that the last event started."""
        return {command.id: command.args for command in self.asked(StartActivity)}

    @property
    def result(self) -> Json:
        """The result of a run that has ended well."""
        (command,) = self.asked(Complete)
        return command.result

    @property
    def problem(self) -> Problem:
        """The problem of a run that has failed."""
        (command,) = self.asked(Fail)
        return command.problem


def begun(text: str, given: Json | None = None) -> Run:
    """Compile a definition and begin a run of it."""
    return Run(plan_of(text), {} if given is None else given).begin()

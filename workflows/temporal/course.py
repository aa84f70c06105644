"""The course of a run: its plan and its state, moved on by events.

It holds the engine's two values together, hands each new state to the sink, and answers what people ask of a run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from temporalio import workflow

from contracts.json import Json
from contracts.problems import Problem
from workflows.engine.advance import advance
from workflows.engine.commands import Command
from workflows.engine.events import Decision, Event, Migrated
from workflows.engine.serial import state_to_json
from workflows.engine.state import State
from workflows.engine.view import approvals, details, refusal
from workflows.engine.waiting import find_approval
from workflows.language.canonical import plan_to_json
from workflows.language.plan import Plan

SINK = "saga_sink"
SINK_OF_REPLAYS = "saga_sink_of_replays"


@dataclass(frozen=True, slots=True)
class Move:
    """One event that a run took in; what is in it must neither be kept nor changed.

    Attributes:
        plan: What the run follows.
        state: The state after the event; `state.run["id"]` names the run and `state.sequence` the event.
        event: The event.
        commands: What it led to.
        execution: Run id of the execution that took it.
    """

    plan: Plan
    state: State
    event: Event
    commands: Sequence[Command]
    execution: str


Sink: TypeAlias = Callable[[Move], None]


class Course:
    """A plan being followed."""

    def __init__(self, plan: Plan, state: State) -> None:
        """Follow `plan` from `state` on; the sink is the worker's, if it has one."""
        self.plan, self.state = plan, state
        given = workflow.extern_functions()
        self._sink: Sink | None = given.get(SINK)
        self._sinks_replays = SINK_OF_REPLAYS in given

    def take(self, event: Event) -> list[Command]:
        """Take one event in and return what must be done."""
        self.state, commands = advance(self.plan, self.state, event)
        if self._sink is not None and (self._sinks_replays or not workflow.unsafe.is_replaying()):
            self._sink(Move(self.plan, self.state, event, commands, workflow.info().run_id))
        return commands

    def follow(self, plan: Plan, event: Migrated) -> list[Command]:
        """Go on with another version's plan."""
        self.plan = plan
        return self.take(replace(event, digest=plan.digest))

    def refusal(self, decision: Decision) -> Problem | None:
        """Return why a decision cannot be taken now, or None."""
        return refusal(self.plan, self.state, decision)

    def waits_for(self, step: str) -> bool:
        """Tell whether the approval `step` waits for a decision."""
        return find_approval(self.plan.nodes, self.state.waits, step) is not None

    def approvals(self) -> Json:
        """Return the approvals that wait."""
        return list(approvals(self.plan, self.state))

    def state_document(self) -> dict[str, Json]:
        """Return the state as JSON."""
        return state_to_json(self.state)

    def plan_document(self) -> Json:
        """Return the plan as JSON."""
        return plan_to_json(self.plan)

    def details(self) -> str:
        """Return the table of steps, as Markdown."""
        return details(self.plan, self.state)

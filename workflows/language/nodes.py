"""The source form of a definition: what the author wrote, checked for shape but not yet for meaning.

One class a step type, one field a key, each with its place in the file. Here the two shapes of flow, sequence and
graph, still stand as written; `lower` makes them one. Expressions are text; names are not resolved. The check rules
read these nodes, `lower` turns them into a plan. `None` always means that the key was not given: defaults are the
plan's business.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from workflows.language.node_parts import (
    Acting,
    Compensation,
    Condition,
    Handler,
    Located,
    Retry,
    Seconds,
    Text,
    Undo,
)
from workflows.language.step_nodes import (
    Action,
    AnyStep,
    Approval,
    Branch,
    Case,
    Catch,
    Decision,
    Emit,
    End,
    Escalate,
    Fail,
    Foreach,
    Parallel,
    Receive,
    Remind,
    Repeat,
    Set,
    Step,
    Try,
    Wait,
    Way,
    Workflow,
)
from workflows.language.tree import Position, Table, Tree
from workflows.language.trigger_nodes import Cancel, EventTrigger, ScheduleTrigger, Signal, Start
from workflows.language.watching import Moment, OnBreach

# The parts, triggers and steps belong to the source form as much as the definition: all are imported from here.
__all__ = (
    "Acting",
    "Action",
    "AnyStep",
    "Approval",
    "Branch",
    "Cancel",
    "Case",
    "Catch",
    "Compensation",
    "Condition",
    "Decision",
    "Emit",
    "End",
    "Escalate",
    "EventTrigger",
    "Fail",
    "Foreach",
    "Handler",
    "Located",
    "Parallel",
    "Receive",
    "Remind",
    "Repeat",
    "Retry",
    "ScheduleTrigger",
    "Seconds",
    "Set",
    "Signal",
    "Start",
    "Step",
    "Text",
    "Try",
    "Undo",
    "Wait",
    "Way",
    "Workflow",
)


@dataclass(frozen=True, slots=True)
class Saga:
    """The top-level `saga`."""

    at: Position
    order: Located[Literal["reverse", "parallel"]] | None = None
    on: tuple[Located[Literal["failure", "cancel", "timeout"]], ...] | None = None
    retry: Retry | None = None


@dataclass(frozen=True, slots=True)
class Rollout:
    """Which share of the new runs this version takes."""

    percent: Located[float] | None
    sticky_by: Condition | None


@dataclass(frozen=True, slots=True)
class Sla:
    """How long a run may take, and what is done about one that takes longer."""

    max_duration: Seconds
    on_breach: Located[OnBreach] | None = None


@dataclass(frozen=True, slots=True)
class Keep:
    """The top-level `keep`: how long what is known of ended runs stays, by how they ended."""

    succeeded: Seconds | None = None
    failed: Seconds | None = None


@dataclass(frozen=True, slots=True)
class Definition:
    """A definition as written. `input` is the input's JSON Schema (a table, or true / false)."""

    file: str
    tree: Table
    id: Text
    version: Text
    steps: tuple[AnyStep, ...]
    name: Text | None = None
    description: Text | None = None
    input: Tree | None = None
    output: Tree | None = None
    key: Tree | None = None
    timeout: Seconds | None = None
    saga: Saga | None = None
    compensation: tuple[Compensation, ...] = ()
    triggers: tuple[EventTrigger | ScheduleTrigger, ...] = ()
    rollout: Rollout | None = None
    lifecycle: tuple[Moment, ...] = ()
    sla: Sla | None = None
    keep: Keep = Keep()


@dataclass(frozen=True, slots=True)
class StepList:
    """One list of steps: the definition's own or a block's body. `kind` names the key that holds it.

    Only the steps of one list may name each other in `next`; cases of a decision may also name steps of its list.
    """

    kind: Literal["steps", "case", "branch", "foreach", "repeat", "try", "catch", "finally"]
    steps: tuple[AnyStep, ...]

    @property
    def is_graph(self) -> bool:
        """Tell whether some step names its successor: then a step without `next` ends its path."""
        return any(names_successor(step) for step in self.steps)


def names_successor(step: AnyStep) -> bool:
    """Tell whether the step was written with `next`."""
    match step:
        case Decision(by_condition=True):
            return True
        case Parallel(is_graph=True):
            return True
    return bool(step.next)


def bodies(step: AnyStep) -> tuple[StepList, ...]:
    """Return the lists of steps directly inside `step`."""
    match step:
        case Decision():
            ways = (*(case.way for case in step.cases), *((step.otherwise,) if step.otherwise else ()))
            return tuple(StepList("case", way.steps) for way in ways if way.steps)
        case Parallel():
            return tuple(StepList("branch", branch.steps) for branch in step.branches if branch.steps)
        case Foreach():
            return (StepList("foreach", step.steps),)
        case Repeat():
            return (StepList("repeat", step.steps),)
        case Try():
            caught = tuple(StepList("catch", catch.steps) for catch in step.catches)
            final = (StepList("finally", step.final),) if step.final else ()
            return (StepList("try", step.steps), *caught, *final)
    return ()


def walk(steps: tuple[AnyStep, ...]) -> Iterator[AnyStep]:
    """Yield every step, those inside blocks included, in the order of the file."""
    for step in steps:
        yield step
        for body in bodies(step):
            yield from walk(body.steps)

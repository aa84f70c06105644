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
    UNSAID,
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
from workflows.language.tree import Position, Scalar, Table, Tree
from workflows.language.trigger_nodes import Cancel, EventTrigger, ScheduleTrigger, Signal, Start
from workflows.language.watching import Moment, OnBreach

# The parts and triggers belong to the source form as much as the steps: those who read it import it from here.
__all__ = (
    "Acting",
    "Cancel",
    "Compensation",
    "Condition",
    "EventTrigger",
    "Handler",
    "Located",
    "Retry",
    "ScheduleTrigger",
    "Seconds",
    "Signal",
    "Start",
    "Text",
    "Undo",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What every step has.

    Attributes:
        id: Its id, with the place of the id.
        at: The step's place (its first key).
        pointer: JSON pointer in the file, such as `/steps/2` or `/steps/2/branches/left/0`.
        condition: `if`.
        next: Step ids in `next`; a string is one. Where a decision or a fork uses them up (`condition` or
            `type: parallel` with `next: [a, b]`) they stand in its cases or branches, and here is nothing.
        handlers: `on_error`.
        tree: The step as written.
    """

    id: Text
    at: Position
    pointer: str
    tree: Table
    name: Text | None = None
    condition: Condition | None = None
    next: tuple[Text, ...] = ()
    handlers: tuple[Handler, ...] = ()
    timeout: Seconds | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Action(Step):
    """`action`; `args` is `with`, None = the run's input."""

    action: Text
    args: Tree | None = None
    acting: Acting = UNSAID
    compensate: Undo | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """Where a case leads: to a step (`next`), through `steps`, or (both absent) to where the decision goes on."""

    at: Position
    next: Text | None = None
    steps: tuple[AnyStep, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One case of a decision."""

    when: Condition
    way: Way


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision(Step):
    """`decision`. `condition` with `next: [then, else]` has become one case and `otherwise`.

    `by_condition` tells that it was written so: then nothing but `next` leads on. `otherwise` None = goes on where the
    decision does.
    """

    cases: tuple[Case, ...]
    otherwise: Way | None = None
    by_condition: bool = False


@dataclass(frozen=True, slots=True)
class Branch:
    """One path of a fork: `next` (graph shape) or `steps`. `name` is the branch's or its first step's id."""

    name: Text
    next: Text | None = None
    steps: tuple[AnyStep, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallel(Step):
    """`parallel`; branches come from `next` (then `join` may name the step where they meet) or from `branches`."""

    branches: tuple[Branch, ...]
    join: Text | None = None
    wait: Located[Literal["all", "any"] | int] | None = None
    on_branch_error: Located[Literal["cancel", "finish"]] | None = None

    @property
    def is_graph(self) -> bool:
        """Tell whether the branches are named by `next`."""
        return any(branch.next is not None for branch in self.branches)


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreach(Step):
    """`foreach`; `item` is `as`."""

    items: Tree
    steps: tuple[AnyStep, ...]
    item: Text | None = None
    index: Text | None = None
    concurrency: Located[int] | None = None
    collect: Tree | None = None
    batch: Located[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat(Step):
    """`repeat`; `before` is `while`, `after` is `until`."""

    steps: tuple[AnyStep, ...]
    max: Located[int]
    before: Condition | None = None
    after: Condition | None = None
    carry: Table | None = None
    index: Text | None = None


@dataclass(frozen=True, slots=True)
class Remind:
    """`remind` of an approval."""

    at: Position
    every: Seconds
    emit: Text


@dataclass(frozen=True, slots=True)
class Escalate:
    """`escalate` of an approval."""

    at: Position
    after: Seconds
    approvers: Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval(Step):
    """`approval`. `on_timeout` is `reject`, `approve`, `fail` or a step id."""

    title: Tree | None = None
    show: Tree | None = None
    approvers: Tree | None = None
    quorum: Located[int] | None = None
    reject_quorum: Located[int] | None = None
    form: Tree | None = None
    on_timeout: Text | None = None
    remind: Remind | None = None
    escalate: Escalate | None = None
    on_reject: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(Step):
    """`wait`; `duration` is `for`. Both hold templates; `until` may also be bare CEL."""

    duration: Tree | None = None
    until: Scalar | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receive(Step):
    """`receive`. `on_timeout` is `fail`, `continue` or a step id; `correlate` says what it waits for, by field."""

    event: Text | None = None
    signal: Text | None = None
    match: Condition | None = None
    count: Located[int] | None = None
    on_timeout: Text | None = None
    correlate: Tree | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Emit(Step):
    """`emit`; `event_priority` (0 to 9) is its `priority`, which goes with the message."""

    event: Scalar
    data: Tree | None = None
    version: Scalar | None = None
    event_priority: Tree | None = None
    key: Tree | None = None
    acting: Acting = UNSAID
    compensate: Undo | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow(Step):
    """`workflow`: `id` or `id@version`."""

    workflow: Text
    input: Tree | None = None
    wait: Located[bool] | None = None
    key: Tree | None = None
    compensate: Undo | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Set(Step):
    """`set`."""

    vars: Table


@dataclass(frozen=True, slots=True)
class Catch:
    """One arm of `catch`; `name` is `as`."""

    at: Position
    steps: tuple[AnyStep, ...]
    errors: tuple[Text, ...] = ()
    when: Condition | None = None
    name: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Try(Step):
    """`try`; `final` is `finally`."""

    steps: tuple[AnyStep, ...]
    catches: tuple[Catch, ...] = ()
    final: tuple[AnyStep, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail(Step):
    """`fail`."""

    error: Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class End(Step):
    """`end`; `next` counts only where `if` skips it."""

    output: Tree | None = None


AnyStep = (
    Action
    | Decision
    | Parallel
    | Foreach
    | Repeat
    | Approval
    | Wait
    | Receive
    | Emit
    | Workflow
    | Set
    | Try
    | Fail
    | End
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

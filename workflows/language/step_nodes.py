"""The steps of the source form: one class a step type, one field a key.

`nodes` is where the rest of the source form stands, and where those who read it import all of it from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workflows.language.node_parts import UNSAID, Acting, Condition, Handler, Located, Seconds, Text, Undo
from workflows.language.tree import Position, Scalar, Table, Tree


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

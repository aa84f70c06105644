"""The plan: a definition as a small graph of nodes, which is all that the engine ever sees.

Sequence and graph shape have become one: every node names its successor, and `None` ends the path. A block
(parallel, foreach, repeat, try) names the entry of each body; a body's path ends with `None` and the block goes on.
Expressions are compiled, defaults are filled in, durations are seconds. The plan keeps no spelling of the YAML
language, so that a second front end can be lowered to it. Nodes are shared, immutable and found by id in one
dictionary: a step costs the same in a plan of 500.

Within one list no path visits a node twice (cycles are refused; `repeat` is the loop), so a node runs at most once
in each frame and `frame prefix + node id` names a step of a run for good.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from workflows.language.expressions.cel import Expression
from workflows.language.expressions.template import Template


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and when a step is tried again; maps to one Temporal retry policy.

    Attributes:
        attempts: All attempts, the first included; 0 = without limit.
        backoff: Seconds before the second attempt.
        factor: Growth of the delay.
        max_backoff: Longest delay, seconds.
        jitter: Share of the delay that is random, 0 to 1.
        on: Problem types that are retried; empty = all that a retry can help.
        not_on: Problem types that are not.
    """

    attempts: int = 5
    backoff: float = 1.0
    factor: float = 2.0
    max_backoff: float = 60.0
    jitter: float = 0.0
    on: tuple[str, ...] = ()
    not_on: tuple[str, ...] = ()


COMPENSATION_RETRY = Retry(attempts=20)


@dataclass(frozen=True, slots=True)
class Execution:
    """Where and how an activity runs.

    Attributes:
        local: As a local activity, in the worker that has the workflow task.
        attempt_timeout: Seconds for one attempt.
        timeout: Seconds for all attempts together, or None.
        heartbeat: Longest silence between heartbeats, seconds, or None.
        queue: Task queue, or None for the run's own.
        priority: 1 (first) to 5, or None.
    """

    local: bool = False
    attempt_timeout: float = 60.0
    timeout: float | None = None
    heartbeat: float | None = None
    queue: str | None = None
    priority: int | None = None
    retry: Retry = field(default_factory=Retry)


@dataclass(frozen=True, slots=True)
class Undo:
    """A compensation: an action and its arguments (evaluated when it is armed).

    `args` None = the run's input. `step` names the step it was taken from, where it was given as a step id.
    """

    action: str
    args: Template | None
    execution: Execution
    step: str | None = None


@dataclass(frozen=True, slots=True)
class Handler:
    """A way on after an error: the first whose `errors` and `when` fit. Empty `errors` fits every type.

    `next` None = go on as if the step had succeeded with output null (`on_error: continue`).
    """

    errors: tuple[str, ...]
    when: Expression | None
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What every node has.

    Attributes:
        id: Step id, unique in the definition.
        name: For people; the step id where none was given.
        condition: `if`; false = skipped.
        next: The successor, or None: the path ends here.
        handlers: `on_error`, in order.
        timeout: Seconds for the whole step, or None. An activity's own is in its `execution`.
        pointer: JSON pointer of the step in its definition, for problem documents.
    """

    id: str
    name: str
    condition: Expression | None = None
    next: str | None = None
    handlers: tuple[Handler, ...] = ()
    timeout: float | None = None
    pointer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act(Node):
    """Carry out an action. `args` None = the run's input. An `emit` is an Act of `event.publish`."""

    action: str
    args: Template | None
    execution: Execution
    undo: Undo | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One arm of a decision; `next` None = the path ends."""

    when: Expression
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decide(Node):
    """Go on at the first case whose `when` is true, else at `otherwise`. (`next` is not used.)"""

    cases: tuple[Case, ...]
    otherwise: str | None


@dataclass(frozen=True, slots=True)
class Branch:
    """One path of a fork; its name is the branch's or its first step's id."""

    name: str
    entry: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork(Node):
    """Take several paths at once; then go on at `next`.

    A branch's path ends with None or when it reaches `join` (graph shape; then `next` == `join`). `wait` = how many
    branches must end before the fork goes on: the number itself (all = their count, any = 1); the rest is cancelled.
    """

    branches: tuple[Branch, ...]
    wait: int
    join: str | None = None
    cancel_on_error: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreach(Node):
    """Run `entry` once for each item, `concurrency` at a time; the output is the ordered list of results.

    `batch` = items in one child workflow where there are more items than that, or None: never.
    """

    items: Template
    item: str
    index: str
    concurrency: int
    entry: str
    collect: Template | None = None
    batch: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat(Node):
    """Run `entry` while `before` holds (checked before each round) and until `after` holds (checked after it).

    `max` rounds at most: one more is a `runtime` problem. `carry` is assigned to vars after each round; `index`
    counts from 0.
    """

    entry: str
    max: int
    before: Expression | None = None
    after: Expression | None = None
    carry: Mapping[str, Template] = field(default_factory=dict)
    index: str = "index"


@dataclass(frozen=True, slots=True)
class Catch:
    """A handler block; `name` is how its steps see the problem (`error` always works too)."""

    errors: tuple[str, ...]
    when: Expression | None
    name: str
    entry: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt(Node):
    """`try`: run `entry`; on a problem the first catch that fits; `final` at the end in any case."""

    entry: str
    catches: tuple[Catch, ...] = ()
    final: str | None = None


@dataclass(frozen=True, slots=True)
class Reminder:
    """Publish the event `event` every `every` seconds while the approval waits."""

    every: float
    event: str


@dataclass(frozen=True, slots=True)
class Escalation:
    """After `after` seconds these may decide too."""

    after: float
    approvers: Template


OnTimeout = Literal["reject", "approve", "fail", "step"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval(Node):
    """Wait for people to decide. `timeout` (of Node) ends the waiting.

    `approvers` None = anybody. `on_timeout` "step" = go to `timeout_next`. `on_reject` None = fail with a `rejected`
    problem.
    """

    title: Template
    show: Template | None = None
    approvers: Template | None = None
    quorum: int = 1
    reject_quorum: int = 1
    form: Mapping[str, Any] | None = None
    on_timeout: OnTimeout = "reject"
    timeout_next: str | None = None
    remind: Reminder | None = None
    escalate: Escalation | None = None
    on_reject: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause(Node):
    """`wait`: a durable timer. `duration` evaluates to a duration, `until` to a moment (RFC 3339 or timestamp)."""

    duration: Template | None = None
    until: Template | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receive(Node):
    """Wait for `count` messages: events whose type matches the topic pattern `event`, or signals called `signal`.

    `match` sees `event`. `timeout` (of Node) ends the waiting: `on_timeout` "fail" is a `timeout` problem, "step"
    goes to `timeout_next` (None with "continue": goes on with what came). The output is the one message, or the list
    where `count` > 1.
    """

    event: str | None = None
    signal: str | None = None
    match: Expression | None = None
    count: int = 1
    on_timeout: Literal["fail", "continue", "step"] = "fail"
    timeout_next: str | None = None
    correlate: Template | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Child(Node):
    """Start another definition's run. `workflow` is `id` or `id@version`; `wait` False = go on once it has started."""

    workflow: str
    input: Template
    wait: bool = True
    key: Template | None = None
    undo: Undo | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assign(Node):
    """`set`: assign variables; all are evaluated before the first is assigned."""

    vars: Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Raise(Node):
    """`fail`: raise a problem."""

    error: Template


@dataclass(frozen=True, slots=True, kw_only=True)
class End(Node):
    """Finish the run with success. `output` None = the definition's own output."""

    output: Template | None = None


AnyNode = Act | Decide | Fork | Foreach | Repeat | Attempt | Approval | Pause | Receive | Child | Assign | Raise | End


@dataclass(frozen=True, slots=True)
class SagaPolicy:
    """How compensation goes: in which order, after what. How it is retried stands in each compensation."""

    order: Literal["reverse", "parallel"] = "reverse"
    on: frozenset[Literal["failure", "cancel", "timeout"]] = frozenset({"failure", "cancel", "timeout"})


@dataclass(frozen=True)
class Plan:
    """One immutable version of a definition, ready to run.

    Attributes:
        nodes: Every node by step id.
        entry: Id of the first node.
        input_schema: JSON Schema of the input, or None: anything.
        output: The run's result, or None: the output of the step that ended it.
        key: Business key of a run that was started without one, or None.
        timeout: Seconds for the run, an engine timer; None = without limit.
        signals: Names of the signals that its `receive` steps wait for.
        digest: SHA-256 (hex) of the canonical form; set by `canonical.sealed`.
    """

    id: str
    version: str
    name: str
    nodes: Mapping[str, AnyNode]
    entry: str
    input_schema: Mapping[str, Any] | bool | None = None
    output: Template | None = None
    key: Template | None = None
    timeout: float | None = None
    saga: SagaPolicy = field(default_factory=SagaPolicy)
    signals: tuple[str, ...] = ()
    description: str = ""
    digest: str = ""

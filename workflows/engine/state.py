"""The state of a run: one serialisable value.

`advance` owns it: it changes the state that it is given and hands it back, so the caller must not use the old value
again (copying would cost O(state) at each event). All members are JSON, so the state can be carried over
continue-as-new at any moment, shown by a query, compared and stored.

A **frame** is one path being walked: the root, a branch of a fork, an item of a foreach, a round of a repeat, a body
of a try. It stands at one node at a time; a block's node waits for its child frames. A **scope** holds what
expressions see: branches and try bodies share the scope around them, items and rounds have their own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from contracts.json import Json
from workflows.engine.revision import FIRST

Phase = Literal["running", "settling", "compensating", "ended"]
Status = Literal[
    "running",
    "waiting",
    "compensating",
    "completed",
    "recovered",
    "failed",
    "compensated",
    "rollback-incomplete",
    "cancelled",
    "timed-out",
]
Cause = Literal["failure", "cancel", "timeout", "end"]


@dataclass(slots=True)
class Scope:
    """What the steps of one body see: results by underscore name, and names such as `item`; then the parent's."""

    parent: int | None
    steps: dict[str, dict[str, Json]] = field(default_factory=dict)
    names: dict[str, Json] = field(default_factory=dict)


@dataclass(slots=True)
class Frame:
    """One path of a run.

    Attributes:
        id: Number; the root is 0.
        parent: Frame whose node opened this one, or None.
        role: `root`, `branch`, `item`, `batch`, `round`, `body`, `catch`, `final`.
        label: Branch name, item or round index (as text), or catch number.
        prefix: What comes before a node's id in its path.
        scope: Number of its scope.
        node: Id of the node where it stands, or None: it has ended.
        stop: Node at which the path ends (a graph join), or None.
        output: Output of the last step.
        children: Child frames that still run.
        block: What the block at `node` keeps (results by label, next item, pending problem ...).
        error: The problem that brought the path here (`on_error`, `catch`), or None.
        cancelling: Whether the path is being cancelled: it starts nothing more and waits for what is in flight.
    """

    id: int
    parent: int | None
    role: str
    label: str
    prefix: str
    scope: int
    node: str | None = None
    stop: str | None = None
    output: Json = None
    children: list[int] = field(default_factory=list)
    block: dict[str, Json] = field(default_factory=dict)
    error: dict[str, Json] | None = None
    cancelling: bool = False


@dataclass(slots=True)
class Operation:
    """An operation in flight.

    Attributes:
        kind: `activity`, `child`, `timer`, `notice` (an activity nobody waits for), `undo`.
        frame: Frame that waits, or -1.
        node: Step id, or `` for the run's own timer.
        due: When a timer fires, milliseconds, or None.
        role: What a timer is for: `pause`, `timeout`, `remind`, `escalate`, `run`.
        cancelled: Whether its cancellation was asked for; it still answers.
    """

    kind: str
    frame: int
    node: str
    due: int | None = None
    role: str = ""
    cancelled: bool = False


@dataclass(slots=True)
class Armed:
    """A compensation that will run if the saga does. `problem` = its arguments could not be evaluated."""

    path: str
    node: str
    action: str
    args: Json
    key: str
    problem: dict[str, Json] | None = None


@dataclass(slots=True)
class Wait:
    """A step that waits for people or messages: an approval or a receive.

    Attributes:
        approvers: Who may decide, or None: anybody.
        decisions: Decisions so far, each with approver, decision, at, via, comment, data; bounded, see `decisions`.
        decisions_bytes: Their size as JSON.
        refused: The latest decisions that were refused: approver, at, reason; bounded.
        refused_count: How many there were.
        messages: Messages received so far.
    """

    path: str
    frame: int
    node: str
    since: int
    title: str = ""
    show: Json = None
    approvers: list[str] | None = None
    decisions: list[dict[str, Json]] = field(default_factory=list)
    decisions_bytes: int = 0
    refused: list[dict[str, Json]] = field(default_factory=list)
    refused_count: int = 0
    messages: list[Json] = field(default_factory=list)
    correlation: list[str] = field(default_factory=list)
    due: int | None = None


@dataclass(slots=True)
class StepRecord:
    """A row of the live table of steps; times in milliseconds since the epoch."""

    path: str
    status: str
    started: int
    ended: int | None = None
    detail: str = ""


@dataclass(slots=True)
class Touched:
    """What the latest event changed, so that whoever writes it down need not compare; not a part of the state.

    Attributes:
        records: Rows of the table of steps, by path.
        problems: Problem types of the steps among them that failed.
        waits: Waits that began, were decided or ended.
        refused: Messages that could not be taken or kept.
    """

    records: dict[str, StepRecord] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    waits: dict[str, Wait] = field(default_factory=dict)
    refused: int = 0


@dataclass(slots=True)
class State:
    """All there is to know about a run, besides its plan.

    Attributes:
        engine: The revision of the engine that the run follows.
        run: Id, workflow_id, key, started_at (milliseconds), correlation_id; `origin` = id and started_at of the run
            that this one resumes, which is what expressions see.
        cause: Why the run unwinds: a failure, a cancel request, its time-out, or an `end` step.
        recovered: The problem of the `on_error` path on which the run ended.
        draining: Nothing new starts, because the run is about to continue as new.
        full: The history is long: no further child starts until the run has continued.
        stays: It cannot continue as new, because its state is too large.
        held: Frame and node of each step that waits for continue-as-new.
        mailbox: Messages and decisions that nobody waited for yet, in order of arrival; bounded, see `mailbox`.
        refused: The latest messages that could not be read or kept: name, at, reason; bounded.
        refused_count: How many there were.
        seen: Ids of the messages that were applied, oldest first, bounded.
        armed: Compensations in order of completion.
        left: What the saga could not undo, as people are told; the first hundred problems are whole.
        remaining: Compensations that were begun and have not succeeded, in the order in which they were begun.
        keys: Paths whose idempotency key stays that of an earlier run, whose id it is: their effect may stand.
        attributes: Search attributes as last set.
    """

    definition: str
    version: str
    digest: str
    engine: int = FIRST
    run: dict[str, Json] = field(default_factory=dict)
    input: Json = None
    vars: dict[str, Json] = field(default_factory=dict)
    sequence: int = 0
    now: int = 0
    phase: Phase = "running"
    status: Status = "running"
    cause: Cause | None = None
    problem: dict[str, Json] | None = None
    result: Json = None
    recovered: dict[str, Json] | None = None
    draining: bool = False
    full: bool = False
    stays: bool = False
    held: list[list[Json]] = field(default_factory=list)
    frames: dict[int, Frame] = field(default_factory=dict)
    scopes: dict[int, Scope] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)
    waits: dict[str, Wait] = field(default_factory=dict)
    mailbox: list[dict[str, Json]] = field(default_factory=list)
    mailbox_bytes: int = 0
    refused: list[dict[str, Json]] = field(default_factory=list)
    refused_count: int = 0
    seen: dict[str, None] = field(default_factory=dict)
    armed: list[Armed] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)
    left: list[dict[str, Json]] = field(default_factory=list)
    remaining: list[Armed] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)
    records: dict[str, StepRecord] = field(default_factory=dict)
    slice: dict[str, Json] | None = None
    attributes: dict[str, Json] = field(default_factory=dict)
    next_frame: int = 0
    next_scope: int = 0
    uuids: int = 0
    touched: Touched = field(default_factory=Touched, compare=False, repr=False)

"""What one event changed, as the rows of the projection: a pure function of the turn.

The rows depend on the plan, the state, the event and the commands alone, so the rows that are written while a run
goes on and those that are made again from its history are the same. They are texts, numbers and moments: nothing in
them is shared with the state, so they may wait in a queue while the run goes on.

A snapshot holds the event. The whole state after it is kept when an execution begins by continuing or resuming, when
the run moves to another version, when it ends, and at the numbers 16, 32, 64 ...: the states of a run of n steps then
take O(n) together, and any other state is the last whole one (or the empty one) advanced over the events behind it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from contracts.json import Json
from contracts.problems import REJECTED, TIMEOUT
from workflows.engine.commands import (
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
from workflows.engine.evaluation import moment
from workflows.engine.event_serial import event_to_json
from workflows.engine.events import Begun, Continued, Decision, Done, Event, Failed, Message, Migrated, Resumed
from workflows.engine.saga import undo_of
from workflows.engine.serial import state_to_json
from workflows.engine.state import State, StepRecord, Wait
from workflows.engine.storable import storable_json, storable_text
from workflows.language.plan import (
    Act,
    AnyNode,
    Approval,
    Assign,
    Attempt,
    Child,
    Decide,
    End,
    Execution,
    Foreach,
    Fork,
    Pause,
    Plan,
    Raise,
    Receive,
    Repeat,
)

FIRST_WHOLE = 16
UNDO = "/compensate"
_ENDINGS = (Complete, Fail, CancelRun)
_KINDS: dict[type[AnyNode], str] = {
    Act: "action",
    Decide: "decision",
    Fork: "parallel",
    Foreach: "foreach",
    Repeat: "repeat",
    Attempt: "try",
    Approval: "approval",
    Pause: "wait",
    Receive: "receive",
    Child: "workflow",
    Assign: "set",
    Raise: "fail",
    End: "end",
}
_OUTCOMES = {TIMEOUT: "timed-out", REJECTED: "rejected"}


class RunRow(NamedTuple):
    """The run after the event; columns as in `saga.runs`."""

    id: str
    execution: str
    workflow_id: str
    definition: str
    version: str
    digest: str
    key: str
    correlation_id: str | None
    part_of: str | None
    status: str
    sequence: int
    started_at: datetime
    changed_at: datetime
    ended_at: datetime | None
    problem_type: str | None
    problem_title: str | None
    problem_detail: str | None
    problem_step: str | None
    undone: int
    left_over: int


class StepRow(NamedTuple):
    """A step that the event changed; `position` is the number of the event."""

    run_id: str
    path: str
    step: str
    kind: str
    action: str | None
    status: str
    position: int
    sequence: int
    started_at: datetime
    ended_at: datetime | None
    problem_type: str | None
    detail: str | None


class SnapshotRow(NamedTuple):
    """The event, and the whole state after it where that is kept; both are JSON texts."""

    run_id: str
    sequence: int
    execution: str
    at: datetime
    actions: int
    event: str
    state: str | None


class ApprovalRow(NamedTuple):
    """An approval that the event opened, moved on or closed; `approvers` and `decisions` are JSON texts."""

    run_id: str
    path: str
    step: str
    title: str
    approvers: str | None
    since: datetime
    due: datetime | None
    decided_at: datetime | None
    outcome: str | None
    decisions: str
    sequence: int


class AnswerRow(NamedTuple):
    """The moment at which the run took the answer of a remote activity."""

    run_id: str
    path: str
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """What one event changed."""

    run: RunRow
    snapshot: SnapshotRow
    steps: tuple[StepRow, ...]
    approvals: tuple[ApprovalRow, ...]
    answer: AnswerRow | None


def change_of(plan: Plan, state: State, event: Event, commands: Sequence[Command], execution: str) -> Change:
    """Return what `event` changed.

    Args:
        plan: What the run follows.
        state: The state after the event.
        event: The event.
        commands: What it led to.
        execution: Run id of the execution that took it.
    """
    ended = any(isinstance(command, _ENDINGS) for command in commands)
    return Change(
        _run(state, execution, ended),
        _snapshot(state, event, commands, execution, ended),
        tuple(_steps(plan, state, ended)),
        tuple(_approvals(plan, state)),
        _answer(plan, state, event),
    )


def keeps_whole(sequence: int, event: Event, *, ended: bool) -> bool:
    """Tell whether the whole state after this event is kept."""
    return (
        ended
        or isinstance(event, Continued | Resumed | Migrated)
        or (sequence >= FIRST_WHOLE and sequence & (sequence - 1) == 0)
    )


def actions_of(event: Event, commands: Sequence[Command]) -> int:
    """Return how many Temporal actions an event stands for, as far as the engine can know: an estimate.

    A start, a signal or an update is one; so is each activity, timer, change of search attributes and new execution;
    a child is two. Not counted are retries (`saga.attempts` has them), heartbeats, queries, and that local activities
    of one workflow task count once. The attributes of the beginning come with the start.
    """
    own = 1 if isinstance(event, Begun | Resumed | Message | Decision | Migrated) else 0
    return own + sum(_price(command, event) for command in commands)


def _price(command: Command, event: Event) -> int:
    match command:
        case StartActivity() | StartTimer() | ContinueAsNew():
            return 1
        case StartChild():
            return 2
        case UpsertAttributes():
            return 0 if isinstance(event, Begun | Resumed) else 1
        case _:
            return 0


def _run(state: State, execution: str, ended: bool) -> RunRow:
    run, problem = state.run, state.problem or state.recovered or {}
    part = (state.slice or {}).get("run")
    return RunRow(
        id=str(run["id"]),
        execution=execution,
        workflow_id=storable_text(run["workflow_id"]),
        definition=state.definition,
        version=state.version,
        digest=state.digest,
        key=storable_text(run["key"]),
        correlation_id=_optional(run.get("correlation_id")),
        part_of=_optional(part.get("id")) if isinstance(part, dict) else None,
        status=state.status,
        sequence=state.sequence,
        started_at=_moment(run["started_at"]),
        changed_at=moment(state.now),
        ended_at=moment(state.now) if ended else None,
        problem_type=_optional(problem.get("type")),
        problem_title=_optional(problem.get("title")),
        problem_detail=_optional(problem.get("detail")),
        problem_step=_optional(problem.get("instance")),
        undone=len(state.undone),
        left_over=len(state.left),
    )


def _snapshot(state: State, event: Event, commands: Sequence[Command], execution: str, ended: bool) -> SnapshotRow:
    whole = keeps_whole(state.sequence, event, ended=ended)
    return SnapshotRow(
        run_id=str(state.run["id"]),
        sequence=state.sequence,
        execution=execution,
        at=moment(state.now),
        actions=actions_of(event, commands),
        event=storable_json(event_to_json(event)),
        state=storable_json(state_to_json(state)) if whole else None,
    )


def _steps(plan: Plan, state: State, ended: bool) -> Iterator[StepRow]:
    touched = state.touched.records
    for record in touched.values():
        yield _step(plan, state, record, ended)
    if ended:
        # What still stood open when the run ended (a step that waited, a block) has nothing more to come.
        for path, record in state.records.items():
            if record.ended is None and path not in touched and _identity(path) in plan.nodes:
                yield _step(plan, state, record, ended)


def _step(plan: Plan, state: State, record: StepRecord, ended: bool) -> StepRow:
    abandoned = ended and record.ended is None
    closed = state.now if abandoned else record.ended
    identity, node = _named(plan, record.path)
    return StepRow(
        run_id=str(state.run["id"]),
        path=storable_text(record.path),
        step=identity,
        kind="compensation" if record.path.endswith(UNDO) else _KINDS[type(node)],
        action=_action(node, record.path),
        status="cancelled" if abandoned else record.status,
        position=state.sequence,
        sequence=state.sequence,
        started_at=moment(record.started),
        ended_at=None if closed is None else moment(closed),
        problem_type=_optional(state.touched.problems.get(record.path)) if record.status == "failed" else None,
        detail=storable_text(record.detail) or None,
    )


def _named(plan: Plan, path: str) -> tuple[str, AnyNode]:
    identity = _identity(path)
    return identity, plan.nodes[identity]


def _identity(path: str) -> str:
    return path.removesuffix(UNDO).rpartition("/")[2]


def _action(node: AnyNode, path: str) -> str | None:
    if path.endswith(UNDO):
        undo = undo_of(node)
        return None if undo is None else undo.action
    match node:
        case Act():
            return node.action
        case Child():
            return node.workflow
        case _:
            return None


def _approvals(plan: Plan, state: State) -> Iterator[ApprovalRow]:
    for wait in state.touched.waits.values():
        if isinstance(plan.nodes[wait.node], Approval):
            yield _approval(state, wait)


def _approval(state: State, wait: Wait) -> ApprovalRow:
    outcome = None if wait.path in state.waits else _outcome(state, wait.path)
    return ApprovalRow(
        run_id=str(state.run["id"]),
        path=storable_text(wait.path),
        step=wait.node,
        title=storable_text(wait.title),
        approvers=None if wait.approvers is None else storable_json(list(wait.approvers)),
        since=moment(wait.since),
        due=None if wait.due is None else moment(wait.due),
        decided_at=None if outcome is None else moment(state.now),
        outcome=outcome,
        decisions=storable_json(list(wait.decisions)),
        sequence=state.sequence,
    )


def _outcome(state: State, path: str) -> str:
    record = state.touched.records.get(path)
    if record is None or record.ended is None:
        return "cancelled"
    return _OUTCOMES.get(state.touched.problems.get(path, ""), record.status)


def _answer(plan: Plan, state: State, event: Event) -> AnswerRow | None:
    if not isinstance(event, Done | Failed):
        return None
    identity = event.id.removesuffix(UNDO).rpartition("/")[2]
    execution = _execution(plan.nodes.get(identity), event.id)
    if execution is None or execution.local:
        return None
    return AnswerRow(str(state.run["id"]), storable_text(event.id), moment(event.at))


def _execution(node: AnyNode | None, identity: str) -> Execution | None:
    if node is None:
        return None
    if identity.endswith(UNDO):
        undo = undo_of(node)
        return None if undo is None else undo.execution
    return node.execution if isinstance(node, Act) else None


def _moment(value: Json) -> datetime:
    assert isinstance(value, int)
    return moment(value)


def _optional(value: Json) -> str | None:
    return None if value is None else storable_text(value)

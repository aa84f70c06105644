"""The projection made again from Temporal's histories.

A history is replayed through the same workflow classes, with a sink that is called while replaying; what it collects
are the rows that were written, or should have been, while the run went on. What belongs to one workflow id is written
in one transaction, so nobody sees half a run. Histories are fetched several at once and replayed in a few lanes,
because a replay mostly waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from types import MappingProxyType
from typing import TypeAlias

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHistory
from temporalio.converter import PayloadConverter
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from activities.attempts import earlier_of
from store.database import Database
from store.runs import AttemptRow, ClosedRow, rewrite, rows_of
from workflows.engine.change import Change, change_of
from workflows.temporal.course import Move
from workflows.temporal.interceptor import ShellInterceptor
from workflows.temporal.statuses import OPEN

OURS = "SagaDefinition IS NOT NULL"
_LANES = 4
# Looked up once: the wrapper of a protobuf enumeration looks its names up anew each time.
_SCHEDULED = EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
_STARTED = EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED
_FIRST_ARGUMENTS = 2  # of an activity; a third is given to one that goes on with a step
_AT_ONCE = 6
_CHANGES_AT_ONCE = 2_000
_CLOSED: Mapping[int, str] = MappingProxyType(
    {
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED: "terminated",
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT: "timed-out",
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: "failed",
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED: "cancelled",
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: "completed",
    }
)

Told: TypeAlias = Callable[[int], None]
Wanted: TypeAlias = Mapping[str, Sequence[str]]
"""Workflow ids with the executions that are known; none = all are looked for."""


@dataclass(frozen=True)
class Refusal:
    """A workflow id whose history could not be replayed, and why."""

    workflow_id: str
    reason: str


@dataclass
class Rebuilt:
    """What was made again.

    Attributes:
        runs: How many runs.
        missing: Workflow ids that Temporal does not know.
        refused: Those that could not be replayed.
    """

    runs: int = 0
    missing: list[str] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)


@dataclass
class _Part:
    """What one workflow id gives."""

    workflow_id: str
    changes: list[Change] = field(default_factory=list)
    attempts: list[AttemptRow] = field(default_factory=list)
    closed: list[ClosedRow] = field(default_factory=list)
    refusal: str | None = None


def since(moment: datetime) -> str:
    """Return the query for what was started, went on or ended since `moment`."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"{OURS} AND (StartTime >= '{text}' OR CloseTime >= '{text}' OR {OPEN})"


async def listed(client: Client, query: str = OURS) -> Wanted:
    """Return the workflow ids that a query finds, the newest first, with their executions."""
    found: dict[str, list[str]] = {}
    async for execution in client.list_workflows(query):
        found.setdefault(execution.id, []).append(execution.run_id)
    return found


async def rebuild(
    client: Client,
    database: Database,
    workflows: Sequence[type],
    wanted: Wanted,
    told: Told = lambda done: None,
) -> Rebuilt:
    """Make the rows of all runs with these workflow ids again.

    Args:
        client: Where the histories are.
        database: Where the rows are.
        workflows: The workflow classes, as workers have them.
        wanted: Whose runs.
        told: Is told how many workflow ids are done.

    Raises:
        RPCError: Temporal does not answer.
        SagaError: PostgreSQL does not, or refuses.
    """
    found, finished = Rebuilt(), count(1)

    def one_more() -> None:
        told(next(finished))

    names = list(wanted)
    lanes = [{name: wanted[name] for name in names[lane::_LANES]} for lane in range(_LANES)]
    tasks = [asyncio.ensure_future(_lane(client, database, workflows, lane, found, one_more)) for lane in lanes if lane]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return found


async def _lane(
    client: Client,
    database: Database,
    workflows: Sequence[type],
    wanted: Wanted,
    found: Rebuilt,
    one_more: Callable[[], None],
) -> None:
    batch = list[_Part]()
    async with aclosing(_parts(client, workflows, wanted, found)) as parts:
        async for part in parts:
            one_more()
            if part.refusal is None:
                batch.append(part)
            else:
                found.refused.append(Refusal(part.workflow_id, part.refusal))
            if sum(len(entry.changes) for entry in batch) >= _CHANGES_AT_ONCE:
                written = await _write(database, batch)
                found.runs += written
                batch.clear()
    written = await _write(database, batch)
    found.runs += written


async def _write(database: Database, parts: Sequence[_Part]) -> int:
    changes = (change for part in parts for change in part.changes)
    rows = rows_of(changes, (row for part in parts for row in part.attempts))
    closed = [row for part in parts for row in part.closed if row.run_id in rows.runs]
    if rows.runs:
        await rewrite(database, rows, closed)
    return len(rows.runs)


async def _parts(client: Client, workflows: Sequence[type], wanted: Wanted, found: Rebuilt) -> AsyncGenerator[_Part]:
    collected: list[Change] = []

    def collect(move: Move) -> None:
        collected.append(change_of(move.plan, move.state, move.event, move.commands, move.execution))

    replayer = Replayer(
        workflows=workflows,
        workflow_runner=UnsandboxedWorkflowRunner(),
        debug_mode=True,  # in this thread, and without a watch on each task: a third faster
        interceptors=[ShellInterceptor(collect, replays=True)],
        data_converter=client.data_converter,
        namespace=client.namespace,
    )
    part: _Part | None = None
    # Histories come one after another, and all of one workflow id together.
    histories = _histories(client, wanted, found)
    async with aclosing(histories), replayer.workflow_replay_iterator(histories) as results:
        async for result in results:
            changes, history = collected[:], result.history
            collected.clear()
            if part is None or part.workflow_id != history.workflow_id:
                if part is not None:
                    yield part
                part = _Part(history.workflow_id)
            _take(part, history, changes, result.replay_failure, client.data_converter.payload_converter)
    if part is not None:
        yield part


def _take(
    part: _Part,
    history: WorkflowHistory,
    changes: Sequence[Change],
    failure: BaseException | None,
    converter: PayloadConverter,
) -> None:
    if failure is not None:
        part.refusal = str(failure)
    if not changes:
        return
    run, execution = changes[0].run.id, _execution_of(history)
    part.changes += [_placed(change, execution) for change in changes]
    part.attempts += _attempts(run, history.events, converter)
    status = _CLOSED.get(history.events[-1].event_type)
    if status is not None and changes[-1].run.ended_at is None:
        part.closed.append(ClosedRow(run, status, _time(history.events[-1])))


def _placed(change: Change, execution: str) -> Change:
    if change.run.execution == execution:
        return change
    return replace(
        change,
        run=change.run._replace(execution=execution),
        snapshot=change.snapshot._replace(execution=execution),
    )


def _attempts(run: str, events: Sequence[HistoryEvent], converter: PayloadConverter) -> list[AttemptRow]:
    scheduled: dict[int, tuple[str, datetime, int]] = {}
    rows = []
    for event in events:
        if event.event_type == _SCHEDULED:
            asked = event.activity_task_scheduled_event_attributes
            at, deliveries = _time(event), 0
            if len(asked.input.payloads) > _FIRST_ARGUMENTS:
                earlier = earlier_of(converter.from_payloads(asked.input.payloads))
                at, deliveries = (at, 0) if earlier is None else (earlier.moment(), earlier.deliveries)
            scheduled[event.event_id] = asked.activity_id, at, deliveries
        elif event.event_type == _STARTED:
            began = event.activity_task_started_event_attributes
            path, at, deliveries = scheduled[began.scheduled_event_id]
            rows.append(AttemptRow(run, path, deliveries + began.attempt, at, _time(event)))
    return rows


def _time(event: HistoryEvent) -> datetime:
    return event.event_time.ToDatetime(tzinfo=UTC)


@dataclass(frozen=True)
class _Fetched(WorkflowHistory):
    """A history that knows its execution, which it cannot say of itself after a reset."""

    execution: str = ""


def _execution_of(history: WorkflowHistory) -> str:
    return history.execution if isinstance(history, _Fetched) else history.run_id


async def _histories(client: Client, wanted: Wanted, found: Rebuilt) -> AsyncGenerator[WorkflowHistory]:
    waiting: list[tuple[str, asyncio.Task[list[WorkflowHistory]]]] = []
    remaining = iter(wanted)
    try:
        while True:
            while len(waiting) < _AT_ONCE and (identity := next(remaining, None)) is not None:
                waiting.append((identity, asyncio.ensure_future(histories_of(client, identity, wanted[identity]))))
            if not waiting:
                return
            identity, task = waiting.pop(0)
            histories = await task
            if not histories:
                found.missing.append(identity)
            for history in histories:
                yield history
    finally:
        for _, task in waiting:
            task.cancel()
        await asyncio.gather(*(task for _, task in waiting), return_exceptions=True)


async def histories_of(client: Client, workflow_id: str, executions: Sequence[str] = ()) -> list[WorkflowHistory]:
    """Return the histories of executions with this workflow id, in the order in which they started.

    An execution that a reset replaced is left out: what it did after that point does not count any more.

    Args:
        client: Where they are.
        workflow_id: Whose.
        executions: Those that are wanted, with those that they continue; none = all there are.

    Raises:
        RPCError: Temporal does not answer.
    """
    known = dict.fromkeys(executions or await _executions(client, workflow_id))
    histories, asked = list[WorkflowHistory](), set[str]()
    while missing := [run for run in known if run not in asked]:
        asked.update(missing)
        for history in await asyncio.gather(*(_fetch(client, workflow_id, run) for run in missing)):
            if history is not None:
                histories.append(history)
                before = history.events[0].workflow_execution_started_event_attributes.continued_execution_run_id
                if before:
                    known.setdefault(before)
    return sorted(_standing(histories), key=lambda history: _time(history.events[0]))


def _standing(histories: Sequence[WorkflowHistory]) -> Iterable[WorkflowHistory]:
    """Return of those that began as the same execution the one that went on last."""
    found: dict[str, WorkflowHistory] = {}
    for history in histories:
        original = history.events[0].workflow_execution_started_event_attributes.original_execution_run_id
        other = found.get(original)
        if other is None or _time(history.events[-1]) > _time(other.events[-1]):
            found[original] = history
    return found.values()


async def _executions(client: Client, workflow_id: str) -> list[str]:
    # The list lags behind, so the latest is asked for by the id.
    quoted = workflow_id.replace("'", "''")
    known = [run.run_id async for run in client.list_workflows(f"WorkflowId = '{quoted}'")]
    latest = await _latest(client, workflow_id)
    return known if latest is None else [*known, latest]


async def _latest(client: Client, workflow_id: str) -> str | None:
    try:
        return (await client.get_workflow_handle(workflow_id).describe()).run_id
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return None
        raise


async def _fetch(client: Client, workflow_id: str, run_id: str) -> WorkflowHistory | None:
    try:
        history = await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return None
        raise
    return _Fetched(history.workflow_id, history.events, run_id)

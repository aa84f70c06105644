"""What Temporal says of an open run and of a task queue: what is pending, how often it failed, who polls.

Raw requests, because the SDK's own descriptions leave out pending activities and tasks. Each function asks a bounded
number of times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, PendingActivityState, TaskQueueType, WorkflowExecutionStatus
from temporalio.api.failure.v1 import Failure
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflow.v1 import PendingActivityInfo, WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
    GetWorkflowExecutionHistoryReverseRequest,
    ListWorkflowExecutionsRequest,
)
from temporalio.client import Client
from temporalio.converter import decode_search_attributes

from contracts.names import ATTRIBUTE_DEFINITION, ATTRIBUTE_STATUS, ATTRIBUTE_VERSION
from contracts.steps import UNATTEMPTED, UNCOUNTED
from workflows.temporal.errors import RefusedByTemporalError, RunNotFoundError, translated
from workflows.temporal.statuses import OPEN, is_open

FAILED_TASKS: Final = 3
"""A workflow task that failed so often is no accident any more."""

_PAGE: Final = 100
_LATEST: Final = 10
_OPEN: Final = f"{OPEN} AND {ATTRIBUTE_DEFINITION} IS NOT NULL"
_TROUBLED: Final = f"{OPEN} AND TemporalReportedProblems IS NOT NULL"
_FORCED: Final = "(ExecutionStatus = 'Terminated' OR ExecutionStatus = 'TimedOut')"
_TASK_FAILED: Final = EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
_TASK_TIMED_OUT: Final = EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT


@dataclass(frozen=True, slots=True)
class PendingActivity:
    """An activity that has not ended.

    Attributes:
        path: Path of the step.
        action: What it carries out.
        queue: Its task queue.
        attempt: The attempt that runs or comes next, from 1.
        attempts: How many there may be; 0 = without limit, or where we count: `attempt` has what is no attempt, too.
        is_running: Whether a worker has it in hand.
        failure: What the last attempt failed with; empty where none did.
        is_given_back: Whether the last worker could not carry it out, or was stopped: that was no attempt.
        next_at: When the next attempt is due, if one is.
    """

    path: str
    action: str
    queue: str
    attempt: int
    attempts: int
    is_running: bool
    failure: str
    next_at: datetime | None
    is_given_back: bool = False


@dataclass(frozen=True, slots=True)
class PendingTask:
    """A workflow task that has not ended: the attempt, and why the last one failed, where that was asked for."""

    attempt: int
    since: datetime
    failure: str = ""


@dataclass(frozen=True, slots=True)
class RunLook:
    """What is pending in an open run."""

    workflow_id: str
    run_id: str
    definition: str
    version: str
    queue: str
    started_at: datetime
    activities: tuple[PendingActivity, ...] = ()
    task: PendingTask | None = None


@dataclass(frozen=True, slots=True)
class QueueLook:
    """When a worker last asked a task queue for work; None = not within the last minutes."""

    name: str
    workflows_at: datetime | None
    activities_at: datetime | None


@dataclass(frozen=True, slots=True)
class ForcedRun:
    """A run that Temporal ended without asking it; `status` is what it last said of itself."""

    workflow_id: str
    run_id: str
    definition: str
    version: str
    status: str
    timed_out: bool
    ended_at: datetime


async def open_runs(client: Client, limit: int, task_queue: str | None = None) -> list[tuple[str, str]]:
    """Return workflow id and run id of open runs: those that Temporal reports problems of first, then the newest.

    Args:
        client: Temporal.
        limit: How many at most.
        task_queue: Of those with problems also such as no command of ours started, if they are on this queue.

    Raises:
        ServiceUnreachableError: Temporal does not answer.
    """
    quoted = "" if task_queue is None else task_queue.replace("'", "''")
    also = f" OR TaskQueue = '{quoted}'" if quoted else ""
    troubled = await _listed(client, f"{_TROUBLED} AND ({ATTRIBUTE_DEFINITION} IS NOT NULL{also})", limit)
    found = [*troubled, *await _listed(client, _OPEN, limit)]
    return list(dict.fromkeys((each.execution.workflow_id, each.execution.run_id) for each in found))[:limit]


async def forced_runs(client: Client, limit: int) -> list[ForcedRun]:
    """Return runs that Temporal ended without asking them, the newest first; no parts of others, none that go on again.

    Raises:
        ServiceUnreachableError: Temporal does not answer.
    """
    found = await _listed(client, f"{_FORCED} AND {ATTRIBUTE_DEFINITION} IS NOT NULL", limit)
    runs = [each for each in found if not each.HasField("parent_execution")]
    return [_forced_run(each) for each in runs if await _is_latest(client, each.execution)]


async def _is_latest(client: Client, execution: WorkflowExecution) -> bool:
    latest = WorkflowExecution(workflow_id=execution.workflow_id)
    request = DescribeWorkflowExecutionRequest(namespace=client.namespace, execution=latest)
    try:
        with translated(client, execution.workflow_id):
            answer = await client.workflow_service.describe_workflow_execution(request, retry=True)
    except RunNotFoundError:
        return False
    return answer.workflow_execution_info.execution.run_id == execution.run_id


def _forced_run(info: WorkflowExecutionInfo) -> ForcedRun:
    attributes = decode_search_attributes(info.search_attributes)
    return ForcedRun(
        workflow_id=info.execution.workflow_id,
        run_id=info.execution.run_id,
        definition=_first(attributes.get(ATTRIBUTE_DEFINITION, ())),
        version=_first(attributes.get(ATTRIBUTE_VERSION, ())).partition("+")[0],
        status=_first(attributes.get(ATTRIBUTE_STATUS, ())),
        timed_out=info.status == WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TIMED_OUT,
        ended_at=_moment(info.close_time),
    )


async def look_at_run(client: Client, workflow_id: str, run_id: str) -> RunLook | None:
    """Return what is pending in a run; None = it has ended, or there is none.

    Raises:
        ServiceUnreachableError: Temporal does not answer.
    """
    execution = WorkflowExecution(workflow_id=workflow_id, run_id=run_id)
    request = DescribeWorkflowExecutionRequest(namespace=client.namespace, execution=execution)
    try:
        with translated(client, workflow_id):
            answer = await client.workflow_service.describe_workflow_execution(request, retry=True)
    except (RunNotFoundError, RefusedByTemporalError):
        # One odd row of the projection must not hide what is wrong with the others.
        return None
    if not is_open(answer.workflow_execution_info.status):
        return None
    return _run_look(answer, await _pending_task(client, answer))


async def look_at_queue(client: Client, name: str) -> QueueLook:
    """Return who polls a task queue.

    Raises:
        ServiceUnreachableError: Temporal does not answer.
    """
    workflows = await _polled_at(client, name, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW)
    return QueueLook(name, workflows, await _polled_at(client, name, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY))


async def _listed(client: Client, query: str, limit: int) -> list[WorkflowExecutionInfo]:
    found = list[WorkflowExecutionInfo]()
    token = b""
    while len(found) < limit:
        request = ListWorkflowExecutionsRequest(
            namespace=client.namespace, page_size=min(_PAGE, limit), next_page_token=token, query=query
        )
        try:
            with translated(client, query):
                answer = await client.workflow_service.list_workflow_executions(request, retry=True)
        except RefusedByTemporalError:
            # This server does not know the search attribute of problems: the other query finds the runs as well.
            return []
        found.extend(answer.executions)
        token = answer.next_page_token
        if not token:
            break
    return found[:limit]


async def _polled_at(client: Client, name: str, kind: TaskQueueType.ValueType) -> datetime | None:
    queue = TaskQueue(name=name)
    request = DescribeTaskQueueRequest(namespace=client.namespace, task_queue=queue, task_queue_type=kind)
    with translated(client, name):
        answer = await client.workflow_service.describe_task_queue(request, retry=True)
    return max((_moment(poller.last_access_time) for poller in answer.pollers), default=None)


def _run_look(answer: DescribeWorkflowExecutionResponse, task: PendingTask | None) -> RunLook:
    info = answer.workflow_execution_info
    attributes = decode_search_attributes(info.search_attributes)
    queue = answer.execution_config.task_queue.name
    return RunLook(
        workflow_id=info.execution.workflow_id,
        run_id=info.execution.run_id,
        definition=_first(attributes.get(ATTRIBUTE_DEFINITION, ())) or info.type.name.partition("@")[0],
        version=_first(attributes.get(ATTRIBUTE_VERSION, ())).partition("+")[0],
        queue=queue,
        started_at=_moment(info.start_time),
        activities=tuple(_activity(each, queue) for each in answer.pending_activities),
        task=task,
    )


def _activity(pending: PendingActivityInfo, queue: str) -> PendingActivity:
    return PendingActivity(
        path=pending.activity_id,
        action=pending.activity_type.name,
        queue=pending.activity_options.task_queue.name or queue,
        attempt=pending.attempt,
        attempts=pending.maximum_attempts % UNCOUNTED,
        is_running=pending.state == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED,
        failure=_words(pending.last_failure) if pending.HasField("last_failure") else "",
        next_at=_optional(pending.next_attempt_schedule_time),
        is_given_back=pending.last_failure.application_failure_info.type == UNATTEMPTED,
    )


async def _pending_task(client: Client, answer: DescribeWorkflowExecutionResponse) -> PendingTask | None:
    if not answer.HasField("pending_workflow_task"):
        return None
    task = answer.pending_workflow_task
    since = _optional(task.original_scheduled_time) or _moment(task.scheduled_time)
    failing = task.attempt >= FAILED_TASKS
    execution = answer.workflow_execution_info.execution
    return PendingTask(task.attempt, since, await _last_failure(client, execution) if failing else "")


async def _last_failure(client: Client, execution: WorkflowExecution) -> str:
    """Why the task failed stands in the history: its first failure is an event there, the later ones are not."""
    request = GetWorkflowExecutionHistoryReverseRequest(
        namespace=client.namespace, execution=execution, maximum_page_size=_LATEST
    )
    with translated(client, execution.workflow_id):
        answer = await client.workflow_service.get_workflow_execution_history_reverse(request, retry=True)
    for event in answer.history.events:
        if event.event_type == _TASK_FAILED:
            return _words(event.workflow_task_failed_event_attributes.failure)
        if event.event_type == _TASK_TIMED_OUT:
            return "The worker did not finish the task in time."
    return ""


def _words(failure: Failure) -> str:
    """What a failure says; the innermost cause says it best where the outer ones are empty."""
    message = failure.message
    while not message and failure.HasField("cause"):
        failure = failure.cause
        message = failure.message
    return message


def _first(value: Sequence[object]) -> str:
    return str(value[0]) if value else ""


def _moment(stamp: Timestamp) -> datetime:
    return stamp.ToDatetime(UTC)


def _optional(stamp: Timestamp) -> datetime | None:
    return stamp.ToDatetime(UTC) if stamp.seconds else None

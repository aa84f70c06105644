"""Resuming runs that have ended: a failed one from where it failed, an incomplete rollback to its end.

The run goes on in a new execution under the same workflow id. Its memo names the execution that it resumes, and by
that memo alone its arguments are believed. The request id is derived from that execution too, so that two people who
resume it at once start one run; and a run that has completed in the meantime is never started again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from temporalio.api.common.v1 import Payloads, WorkflowType
from temporalio.api.enums.v1 import WorkflowIdConflictPolicy, WorkflowIdReusePolicy
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import StartWorkflowExecutionRequest
from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.converter import DataConverter, WorkflowSerializationContext, encode_search_attributes

from workflows.engine.past import Segment
from workflows.engine.redriving import CannotResumeError, Resumption, moved, redriven, rolled_back
from workflows.engine.resuming import misfits
from workflows.engine.serial import state_to_json
from workflows.language.library import Library
from workflows.language.triggers import Definition
from workflows.temporal.arguments import resumption as resumption_arguments
from workflows.temporal.attributes import starting_attributes
from workflows.temporal.errors import translated
from workflows.temporal.operations import MEMO_CORRELATION, MEMO_RESUMES
from workflows.temporal.replaying import past_of
from workflows.temporal.statuses import is_open
from workflows.temporal.tracing_header import carry_trace

How: TypeAlias = Literal["redrive", "compensate"]


@dataclass(frozen=True)
class ResumeRequest:
    """What is asked for.

    Attributes:
        how: Go on with the work, or with the rollback.
        from_step: Path or id of the step to begin at, or None: the one that failed.
        version: Of the definition, or None: the one that the run followed.
    """

    how: How
    from_step: str | None = None
    version: str | None = None


@dataclass(frozen=True)
class ResumePlan:
    """What resuming a run would do; nothing has been started."""

    ended: WorkflowExecutionDescription
    how: How
    definition: Definition
    resumption: Resumption


async def plan_resumption(
    client: Client,
    library: Library,
    workflow_id: str,
    request: ResumeRequest,
    *,
    run_id: str | None = None,
    continue_after: int | None = None,
) -> ResumePlan:
    """Find out from where a run can go on.

    Args:
        client: The Temporal client.
        library: Has the version that the run followed, and the one that it is to follow.
        workflow_id: Its workflow id.
        request: What is asked for.
        run_id: Of the execution that must be its last one, or None.
        continue_after: As the run's workers have it.

    Raises:
        CannotResumeError: It is running, or cannot go on so; the message says why.
        CannotReplayError: Its version is not loaded.
        RunNotFoundError: There is no such run.
        ServiceUnreachableError: Temporal does not answer.
    """
    with translated(client, workflow_id):
        ended = await client.get_workflow_handle(workflow_id).describe()
    if is_open(ended.status):
        raise CannotResumeError(f"{workflow_id} is running: wait for its end, or cancel it first.")
    if run_id is not None and run_id != ended.run_id:
        raise CannotResumeError(f"{workflow_id} has been started again since: that run is {ended.run_id}.")
    if ended.status is WorkflowExecutionStatus.COMPLETED:
        raise CannotResumeError(f"{workflow_id} has completed: there is nothing to do again.")
    past = await past_of(client, library, workflow_id, ended.run_id, continue_after=continue_after)
    return _planned(ended, library, past, request)


def _planned(
    ended: WorkflowExecutionDescription, library: Library, past: list[Segment], request: ResumeRequest
) -> ResumePlan:
    resumption = rolled_back(past) if request.how == "compensate" else redriven(past, request.from_step)
    definition = _version(library, past[-1], request.version)
    reasons = misfits(resumption.state, definition.plan)
    if reasons:
        raise CannotResumeError(f"{ended.id} does not fit version {definition.version}: {' '.join(reasons)}")
    moved(resumption, definition.plan)
    return ResumePlan(ended, request.how, definition, resumption)


def _version(library: Library, segment: Segment, wanted: str | None) -> Definition:
    plan = segment.plan
    found = next(
        (each for each in library.versions.get(plan.id, ()) if each.version == (wanted or plan.version)),
        None,
    )
    if found is None:
        known = ", ".join(each.version for each in library.versions.get(plan.id, ()))
        raise CannotResumeError(f"{plan.id} has no version {wanted}. There is {known or 'none'}.")
    return found


async def carry_out(client: Client, plan: ResumePlan) -> str:
    """Start the run that goes on, on the task queue that it had; who does the same at once gets the same run.

    Returns:
        The run id.

    Raises:
        RunExistsError: Another run with this workflow id was started, or has completed, in the meantime.
        RefusedByTemporalError: The server does not accept it, such as a state that is too large.
        ServiceUnreachableError: The server does not answer.
    """
    message = await _message(client, plan)
    with translated(client, plan.ended.id):
        answer = await client.workflow_service.start_workflow_execution(message, retry=True)
    return answer.run_id


async def _message(client: Client, plan: ResumePlan) -> StartWorkflowExecutionRequest:
    ended, resumption = plan.ended, plan.resumption
    converter = _converter(client, ended.id)
    state = state_to_json(resumption.state)
    arguments = resumption_arguments(state.pop("input"), state, resumption.since, resumption.landed)
    message = StartWorkflowExecutionRequest(
        namespace=client.namespace,
        workflow_id=ended.id,
        workflow_type=WorkflowType(name=_type_name(ended.workflow_type, plan.definition)),
        task_queue=TaskQueue(name=ended.task_queue),
        input=Payloads(payloads=await converter.encode(arguments)),
        identity=client.identity,
        request_id=f"{plan.how}/{ended.run_id}",
        workflow_id_reuse_policy=WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
        workflow_id_conflict_policy=WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
    )
    await _describe(message, converter, plan)
    return message


async def _describe(message: StartWorkflowExecutionRequest, converter: DataConverter, plan: ResumePlan) -> None:
    state = plan.resumption.state
    attributes = starting_attributes(plan.definition, str(state.run["key"]))
    encode_search_attributes(attributes, message.search_attributes)
    words = {MEMO_RESUMES: plan.ended.run_id}
    if "correlation_id" in state.run:
        words[MEMO_CORRELATION] = str(state.run["correlation_id"])
    for name, word in words.items():
        [payload] = await converter.encode([word])
        message.memo.fields[name].CopyFrom(payload)
    [title] = await converter.encode([plan.definition.plan.name])
    message.user_metadata.summary.CopyFrom(title)
    message.priority.CopyFrom(plan.ended.raw_description.workflow_execution_info.priority)
    carry_trace(message.header)


def _type_name(before: str, definition: Definition) -> str:
    """Return the workflow type: with its version where the run was started with one."""
    return f"{definition.id}@{definition.version}" if "@" in before else definition.id


def _converter(client: Client, workflow_id: str) -> DataConverter:
    context = WorkflowSerializationContext(namespace=client.namespace, workflow_id=workflow_id)
    return client.data_converter.with_context(context)

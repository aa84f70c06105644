"""How runs are started, signalled and cancelled: once, by everybody in the same way.

The requests are made on the raw service, because only there the caller chooses the request id, which is what makes a
redelivered event harmless: a start is repeated by workflow id and request id, a signal by request id. A start carries
the pin of its version as a search attribute, so the run adds nothing to its history for that. It asks for an eager
start, which saves a round trip where a worker shares this client and is ignored elsewhere, unless it is made under a
lease. Starts and signals carry the trace that they are made in.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from temporalio.api.common.v1 import Payloads, WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import WorkflowIdConflictPolicy, WorkflowIdReusePolicy
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    RequestCancelWorkflowExecutionRequest,
    SignalWorkflowExecutionRequest,
    StartWorkflowExecutionRequest,
)
from temporalio.client import Client
from temporalio.converter import (
    DataConverter,
    WorkflowSerializationContext,
    encode_search_attributes,
)

from contracts.json import Json
from contracts.names import workflow_id as named_run
from contracts.ports import Lease
from workflows.language.library import Library
from workflows.language.triggers import Definition
from workflows.temporal.attributes import key_of, starting_attributes
from workflows.temporal.business_key import business_key
from workflows.temporal.errors import translated
from workflows.temporal.operations import MEMO_CORRELATION
from workflows.temporal.tracing_header import carry_trace

IfRunning: TypeAlias = Literal["ignore", "fail", "terminate"]

_CONFLICT: Mapping[IfRunning, WorkflowIdConflictPolicy.ValueType] = {
    "ignore": WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
    "fail": WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
    "terminate": WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING,
}

_AGAIN = WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE


@dataclass(frozen=True)
class StartRequest:
    """A run to be started.

    Attributes:
        definition: The version to follow.
        input: The run's input.
        key: Business key; None = the definition's `key`, else the request id, else a new one.
        workflow_id: Instead of `<definition>/<key>`.
        version_explicit: Whether the workflow type names the version, as in `id@1.0.0`.
        request_id: The same for each repetition of the same start, such as the event's id; None = a new one.
        correlation_id: Of the event that caused it.
        priority: 1 (first) to 5.
        if_running: What to do when a run with this key is running.
    """

    definition: Definition
    input: Json
    key: str | None = None
    workflow_id: str | None = None
    version_explicit: bool = False
    request_id: str | None = None
    correlation_id: str | None = None
    priority: int | None = None
    if_running: IfRunning = "fail"


def start_request(
    library: Library, name: str, given: Json, *, key: str | None = None, request_id: str | None = None
) -> StartRequest | None:
    """Return the request that starts a run of `id`, whose version a rollout chooses, or of `id@version`.

    Args:
        library: What is loaded.
        name: Whose run.
        given: Its input.
        key: Business key; None = the leading version's `key`, else the request id.
        request_id: As in `StartRequest`.

    Returns:
        The request, or None: there is no such definition.

    Raises:
        KeyRefusedError: The definition's `key` has no value for this input.
    """
    leading = library.resolve(name)
    if leading is None:
        return None
    identity = request_id or str(uuid.uuid4())
    named = business_key(leading.plan, given) if key is None else key
    chosen = library.choose(name, named or identity, given) or leading
    return StartRequest(chosen, given, named or identity, version_explicit="@" in name, request_id=identity)


@dataclass(frozen=True)
class Started:
    """What a start led to; `started` False = it was running already, and nothing was started."""

    workflow_id: str
    run_id: str
    started: bool


async def start_run(client: Client, task_queue: str, request: StartRequest, lease: Lease | None = None) -> Started:
    """Start a run, or find the one that the same request started before.

    Args:
        client: The Temporal client.
        task_queue: Of the run.
        request: What to start.
        lease: Of the message because of which it is started; then the request is made once, in the time that is left.

    Raises:
        RunExistsError: A run with the key is running and `if_running` is "fail".
        KeyRefusedError: The definition's `key` has no value for this input.
        RefusedByTemporalError: The server does not accept it, such as an input that is too large.
        ServiceUnreachableError: The server does not answer.
    """
    identity = request.request_id or str(uuid.uuid4())
    run = request.workflow_id or named_run(request.definition.id, _key(request, identity))
    message = await _start_message(client, task_queue, request, identity, run)
    # Without the client's retries the SDK hands the task of an eager start to nobody, and it comes again after 10 s.
    message.request_eager_execution = lease is None
    with translated(client, run):
        answer = await _sent(client.workflow_service.start_workflow_execution, message, lease)
    return Started(run, answer.run_id, answer.started)


async def signal_run(
    client: Client,
    workflow_id: str,
    name: str,
    data: Json,
    *,
    event: dict[str, Json] | None = None,
    message_id: str | None = None,
    request_id: str | None = None,
    lease: Lease | None = None,
) -> None:
    """Signal the running execution of a run; a signal with a request id that was there before does nothing.

    Args:
        client: The Temporal client.
        workflow_id: Workflow id of the run.
        name: Name of the signal.
        data: Its payload.
        event: The event that it was made of, as expressions see it.
        message_id: By which the run itself drops a repetition, also after continue-as-new.
        request_id: By which the server drops a repetition.
        lease: As for `start_run`.

    Raises:
        RunNotFoundError: No such run is running.
        ServiceUnreachableError: The server does not answer.
    """
    origin: dict[str, Json] = {"event": event, "message_id": message_id}
    plain = event is None and message_id is None
    payloads = await _encoded(client, workflow_id, [data] if plain else [data, origin])
    message = SignalWorkflowExecutionRequest(
        namespace=client.namespace,
        workflow_execution=WorkflowExecution(workflow_id=workflow_id),
        signal_name=name,
        input=payloads,
        request_id=request_id or str(uuid.uuid4()),
        identity=client.identity,
    )
    carry_trace(message.header)
    with translated(client, workflow_id):
        await _sent(client.workflow_service.signal_workflow_execution, message, lease)


async def cancel_run(
    client: Client, workflow_id: str, reason: str, *, request_id: str | None = None, lease: Lease | None = None
) -> None:
    """Ask a run to cancel; it compensates and then ends as cancelled. `lease` as for `start_run`.

    Raises:
        RunNotFoundError: No such run is running.
        ServiceUnreachableError: The server does not answer.
    """
    message = RequestCancelWorkflowExecutionRequest(
        namespace=client.namespace,
        workflow_execution=WorkflowExecution(workflow_id=workflow_id),
        reason=reason,
        request_id=request_id or str(uuid.uuid4()),
        identity=client.identity,
    )
    with translated(client, workflow_id):
        await _sent(client.workflow_service.request_cancel_workflow_execution, message, lease)


async def _sent(call: Callable[..., Awaitable[Any]], message: object, lease: Lease | None) -> Any:
    if lease is None:
        return await call(message, retry=True)
    # The client's own retries know nothing of a lease, and a request without a deadline waits for a connection even
    # where the process was stopped meanwhile: it would go out for a message that another bridge has long had.
    return await call(message, retry=False, timeout=await lease())


def _key(request: StartRequest, identity: str) -> str:
    if request.key is not None:
        return request.key
    return business_key(request.definition.plan, request.input) or identity


async def _start_message(
    client: Client, task_queue: str, request: StartRequest, identity: str, run: str
) -> StartWorkflowExecutionRequest:
    definition = request.definition
    name = f"{definition.id}@{definition.version}" if request.version_explicit else definition.id
    message = StartWorkflowExecutionRequest(
        namespace=client.namespace,
        workflow_id=run,
        workflow_type=WorkflowType(name=name),
        task_queue=TaskQueue(name=task_queue),
        input=await _encoded(client, run, [request.input]),
        identity=client.identity,
        request_id=identity,
        workflow_id_reuse_policy=_AGAIN,
        workflow_id_conflict_policy=_CONFLICT[request.if_running],
    )
    await _describe(message, client, request)
    return message


async def _describe(message: StartWorkflowExecutionRequest, client: Client, request: StartRequest) -> None:
    """Add what is not needed to run it, but to find, show, prefer and trace it."""
    converter = _converter(client, message.workflow_id)
    key = key_of(request.definition.id, message.workflow_id)
    encode_search_attributes(starting_attributes(request.definition, key), message.search_attributes)
    [title] = await converter.encode([request.definition.plan.name])
    message.user_metadata.summary.CopyFrom(title)
    if request.correlation_id is not None:
        [correlation] = await converter.encode([request.correlation_id])
        message.memo.fields[MEMO_CORRELATION].CopyFrom(correlation)
    if request.priority is not None:
        message.priority.priority_key = request.priority
    carry_trace(message.header)


def _converter(client: Client, workflow_id: str) -> DataConverter:
    context = WorkflowSerializationContext(namespace=client.namespace, workflow_id=workflow_id)
    return client.data_converter.with_context(context)


async def _encoded(client: Client, workflow_id: str, values: Sequence[Json]) -> Payloads:
    return Payloads(payloads=await _converter(client, workflow_id).encode(values))

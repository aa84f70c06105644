"""The past of a run, from Temporal's histories: the truth about it, whatever else was lost.

Each execution's history is replayed through the workflow classes, as a worker would after a crash, with a witness
that writes the events down. Continuations are joined, and a run that resumed another one has that one's past before
its own. What it costs is a replay, so only commands do it, never a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from temporalio.api.history.v1 import WorkflowExecutionStartedEventAttributes
from temporalio.client import Client, WorkflowHistory
from temporalio.converter import DataConverter, WorkflowSerializationContext
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from contracts.errors import PermanentError
from contracts.json import Json
from contracts.names import pin
from workflows.engine.events import Event
from workflows.engine.past import Segment
from workflows.language.library import Library
from workflows.temporal.arguments import read_arguments
from workflows.temporal.classes import workflow_classes
from workflows.temporal.course import Move
from workflows.temporal.errors import translated
from workflows.temporal.interceptor import ShellInterceptor
from workflows.temporal.operations import MEMO_RESUMES


class CannotReplayError(PermanentError):
    """The run's history cannot be replayed: load the version of the definition that it followed."""

    code = "cannot-replay"


@dataclass
class _Witness:
    """Writes down what happened in one execution."""

    events: list[Event] = field(default_factory=list)
    definition: str = ""
    pin: str = ""

    def saw(self, move: Move) -> None:
        """Note what happened, and which version the run follows."""
        self.events.append(move.event)
        self.definition, self.pin = move.state.definition, pin(move.state.version, move.state.digest)


@dataclass(frozen=True)
class _Execution:
    """One execution: what happened in it, and which one came before."""

    segment: Segment
    continued: str
    resumes: str | None


async def past_of(
    client: Client, library: Library, workflow_id: str, run_id: str, *, continue_after: int | None = None
) -> list[Segment]:
    """Return the past of a run, the oldest first.

    Args:
        client: The Temporal client.
        library: Has every version that the run has followed.
        workflow_id: Its workflow id.
        run_id: Run id of its last execution.
        continue_after: As the run's workers have it.

    Raises:
        CannotReplayError: A version that it followed is not loaded, or the history is not a run of ours.
        RunNotFoundError: Temporal has no such history any more.
        ServiceUnreachableError: Temporal does not answer.
    """
    segments: list[Segment] = []
    before: str | None = run_id
    while before is not None:
        execution = await _replayed(client, library, workflow_id, before, continue_after)
        segment = execution.segment
        while execution.continued:
            execution = await _replayed(client, library, workflow_id, execution.continued, continue_after)
            segment = replace(execution.segment, events=[*execution.segment.events, *segment.events])
        segments.insert(0, segment)
        before = execution.resumes
    return segments


async def _replayed(
    client: Client, library: Library, workflow_id: str, run_id: str, continue_after: int | None
) -> _Execution:
    with translated(client, workflow_id):
        history = await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
    witness = _Witness()
    replayer = Replayer(
        workflows=workflow_classes(lambda: library, continue_after=continue_after),
        workflow_runner=UnsandboxedWorkflowRunner(),
        debug_mode=True,  # a long history takes longer than the SDK's two seconds, and nobody waits for its task
        interceptors=[ShellInterceptor(witness.saw, replays=True)],
        data_converter=client.data_converter,
        namespace=client.namespace,
    )
    result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
    definition = library.pinned(witness.definition, witness.pin)
    if result.replay_failure is not None or definition is None:
        reason = result.replay_failure or "It was refused at its start, so nothing happened in it."
        raise CannotReplayError(f"Run: {workflow_id}. {reason}")
    started = _started(history)
    converter = _converter(client, workflow_id)
    resumes = await _memo(converter, started)
    carried = None if resumes is None or started.continued_execution_run_id else await _carried(converter, started)
    return _Execution(Segment(definition.plan, witness.events, carried), started.continued_execution_run_id, resumes)


def _started(history: WorkflowHistory) -> WorkflowExecutionStartedEventAttributes:
    return history.events[0].workflow_execution_started_event_attributes


def _converter(client: Client, workflow_id: str) -> DataConverter:
    context = WorkflowSerializationContext(namespace=client.namespace, workflow_id=workflow_id)
    return client.data_converter.with_context(context)


async def _memo(converter: DataConverter, started: WorkflowExecutionStartedEventAttributes) -> str | None:
    if MEMO_RESUMES not in started.memo.fields:
        return None
    [value] = await converter.decode([started.memo.fields[MEMO_RESUMES]])
    return str(value)


async def _carried(
    converter: DataConverter, started: WorkflowExecutionStartedEventAttributes
) -> dict[str, Json] | None:
    values: list[Any] = await converter.decode(started.input.payloads)
    given = read_arguments(values, continued=False, child=False, resumes=True)
    state: Mapping[str, Json] | None = given.state
    return None if state is None else {**state, "input": given.input}

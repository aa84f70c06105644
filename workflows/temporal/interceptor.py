"""What the worker adds to every run: the sink of snapshots, and the live table of steps when somebody looks.

The table is made when the UI or CLI asks for the run's metadata, not at each step, so a run that nobody looks at does
not pay for it.
"""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.worker import (
    HandleQueryInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from workflows.temporal.course import SINK, SINK_OF_REPLAYS, Sink
from workflows.temporal.operations import ACTIONS
from workflows.temporal.run import SagaRun


class ShellInterceptor(Interceptor):
    """Give it to every worker that hosts the workflow classes.

    Args:
        sink: Called in the workflow's thread after each event; None = nobody wants snapshots.
        replays: Whether it is called while replaying too, as whoever makes the projection again wants.
        actions: The names of all that the worker can carry out; None = it is not known.
    """

    def __init__(
        self, sink: Sink | None = None, *, replays: bool = False, actions: frozenset[str] | None = None
    ) -> None:
        """Hand each new state of every run to `sink`."""
        self._sink, self._replays, self._actions = sink, replays, actions

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        """Make the sink known to the workflows and return the interceptor of their queries."""
        if self._actions is not None:
            input.unsafe_extern_functions[ACTIONS] = self._actions.__contains__
        if self._sink is not None:
            input.unsafe_extern_functions[SINK] = self._sink
            if self._replays:
                input.unsafe_extern_functions[SINK_OF_REPLAYS] = self._sink
        return _LiveDetails


class _LiveDetails(WorkflowInboundInterceptor):
    async def handle_query(self, input: HandleQueryInput) -> Any:
        answer = await super().handle_query(input)
        run = workflow.instance()
        if isinstance(answer, WorkflowMetadata) and isinstance(run, SagaRun):
            answer.current_details = run.details()
        return answer

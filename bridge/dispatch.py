"""Carry a dispatch out at Temporal.

Every request carries its own id, so each may be repeated: after a lost answer, by a second bridge, for an event
that was sent twice. What can never succeed comes back as a `PermanentError`; a Temporal that is away as
`ServiceUnreachableError`.
"""

from __future__ import annotations

from typing import assert_never

from temporalio.client import Client

from bridge.dispatches import CancelDispatch, Dispatch, IfAbsent, SignalDispatch, StartDispatch
from bridge.outcomes import Effect
from bridge.seen import SeenRuns
from contracts.envelope import Event
from workflows.temporal.errors import RunExistsError, RunNotFoundError
from workflows.temporal.starting import StartRequest, cancel_run, signal_run, start_run


class Dispatcher:
    """Dispatches to one Temporal namespace and task queue."""

    def __init__(self, client: Client, task_queue: str) -> None:
        """Use a client that somebody else connects and keeps."""
        self._client, self._task_queue, self._seen = client, task_queue, SeenRuns()

    async def dispatch(self, dispatch: Dispatch, event: Event, priority: int | None) -> Effect:
        """Do what `dispatch` says because of `event`.

        Args:
            dispatch: What to do.
            event: The event that asked for it; a signal carries it along.
            priority: Temporal's priority of a run that is started, 1 (first) to 5, or None.

        Raises:
            PermanentError: There is no run to signal, or one that must not be there; or Temporal refuses the request.
            TemporaryError: Temporal is away or busy.
        """
        match dispatch:
            case StartDispatch():
                return await self._start(dispatch, event, priority)
            case SignalDispatch():
                return await self._signal(dispatch, event, priority)
            case CancelDispatch():
                return await self._cancel(dispatch)
        assert_never(dispatch)

    async def _start(self, dispatch: StartDispatch, event: Event, priority: int | None) -> Effect:
        if dispatch.if_running == "signal":
            return await self._start_or_signal(dispatch, event, priority)
        return await self._request_start(dispatch, event, priority)

    async def _request_start(self, dispatch: StartDispatch, event: Event, priority: int | None) -> Effect:
        started = await start_run(self._client, self._task_queue, _start_request(dispatch, event, priority))
        is_new = self._seen.is_new(started.run_id) and started.started
        return Effect("started" if is_new else "already-started", started.workflow_id, started.run_id)

    async def _start_or_signal(self, dispatch: StartDispatch, event: Event, priority: int | None) -> Effect:
        try:
            return await self._request_start(dispatch, event, priority)
        except RunExistsError:
            return await self._signal(_as_signal(dispatch, event), event, priority)

    async def _signal(self, dispatch: SignalDispatch, event: Event, priority: int | None) -> Effect:
        try:
            await self._deliver(dispatch, event)
        except RunNotFoundError as error:
            if dispatch.start is None:
                return _missing(dispatch.if_missing, dispatch.workflow_id, error)
            await self._start(dispatch.start, event, priority)
            await self._deliver(dispatch, event)
        return Effect("signalled", dispatch.workflow_id)

    async def _cancel(self, dispatch: CancelDispatch) -> Effect:
        try:
            await cancel_run(self._client, dispatch.workflow_id, dispatch.reason, request_id=dispatch.request_id)
        except RunNotFoundError as error:
            return _missing(dispatch.if_missing, dispatch.workflow_id, error)
        return Effect("cancelled", dispatch.workflow_id)

    async def _deliver(self, dispatch: SignalDispatch, event: Event) -> None:
        await signal_run(
            self._client,
            dispatch.workflow_id,
            dispatch.name,
            dispatch.data,
            event=event.as_binding(),
            message_id=event.id,
            request_id=dispatch.request_id,
        )


def _start_request(dispatch: StartDispatch, event: Event, priority: int | None) -> StartRequest:
    return StartRequest(
        definition=dispatch.definition,
        input=dispatch.input,
        key=dispatch.key,
        workflow_id=dispatch.workflow_id,
        request_id=dispatch.request_id,
        correlation_id=event.correlation_id,
        priority=priority,
        if_running="fail" if dispatch.if_running == "signal" else dispatch.if_running,
    )


def _as_signal(dispatch: StartDispatch, event: Event) -> SignalDispatch:
    return SignalDispatch(dispatch.workflow_id, event.type, event.data, "dead-letter", dispatch.request_id)


def _missing(choice: IfAbsent, workflow_id: str, error: RunNotFoundError) -> Effect:
    if choice == "drop":
        return Effect("dropped", workflow_id)
    raise error

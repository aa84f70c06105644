"""Carry a dispatch out at Temporal.

Every request carries its own id, so each may be repeated: after a lost answer, by a second bridge, for an event
that was sent twice. What can never succeed comes back as a `PermanentError`; a Temporal that is away as
`ServiceUnreachableError`.

What was done before is told by what the event log has of the event (`bridge/done_before.py`), however long ago and
whatever has become of the run since: Temporal knows a start only while its run is the latest with its key.

Two things Temporal's request ids alone do not give. A run that has ended may have had this event as a signal: a start
that may become one looks at the latest run first. And messages are to reach a run in the order in which they came:
what is to be held queues behind what is held, and who starts a run delivers what waits for it before going on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast, get_args

from temporalio.client import Client

from bridge.delivering import deliver, deliver_to, waiting_runs
from bridge.dispatches import Asker, CancelDispatch, CorrelateDispatch, Dispatch, Message, SignalDispatch, StartDispatch
from bridge.holding import RunMissingError, WaitingRoom, holding
from bridge.outcomes import Effect, EffectKind, signalled
from bridge.seen import SeenRuns
from contracts.envelope import Event
from contracts.json import Json
from contracts.ports import Lease
from workflows.language.triggers import Hold
from workflows.temporal.errors import RunExistsError, RunNotFoundError
from workflows.temporal.finding import latest_run
from workflows.temporal.starting import StartRequest, start_run


@dataclass(frozen=True, slots=True)
class _Cause:
    """Because of what something is dispatched."""

    event: Event
    priority: int | None
    lease: Lease | None


class Dispatcher:
    """Dispatches to one Temporal namespace and task queue."""

    def __init__(self, client: Client, task_queue: str, room: WaitingRoom) -> None:
        """Use a client that somebody else connects and keeps; `room` keeps what is held."""
        self._client, self._task_queue, self._room, self._seen = client, task_queue, room, SeenRuns()

    async def dispatch(
        self,
        dispatch: Dispatch,
        event: Event,
        priority: int | None,
        *,
        before: Mapping[str, Json] | None = None,
        lease: Lease | None = None,
    ) -> Effect:
        """Do what `dispatch` says because of `event`; what is to be held is kept when this returns.

        Args:
            dispatch: What to do.
            event: The event that asked for it; a signal carries it along.
            priority: Temporal's priority of a run that is started, 1 (first) to 5, or None.
            before: What is on record of this, because it was done before: `{"kind", "workflow_id", "run_id"}`, and
                `request_id` where it was another one. It is not done again.
            lease: Tells for how long the event is ours; asked before each request that changes something.

        Raises:
            PermanentError: There is no run to signal, or one that must not be there; or Temporal refuses the request.
            TemporaryError: Temporal or PostgreSQL is away or busy; or what `lease` raises.
        """
        recorded = _recorded(before)
        if recorded is not None and (recorded.kind != "held" or await self._room.holds(_request_id(before, dispatch))):
            return recorded
        cause = _Cause(event, priority, lease)
        match dispatch:
            case StartDispatch():
                return await self._start(dispatch, cause)
            case CorrelateDispatch():
                return await self._correlate(dispatch, cause)
            case SignalDispatch() | CancelDispatch():
                return await self._send(dispatch, cause)

    async def _start(self, dispatch: StartDispatch, cause: _Cause) -> Effect:
        if dispatch.if_running == "signal":
            return await self._start_or_signal(dispatch, cause)
        return await self._request_start(dispatch, cause)

    async def _request_start(self, dispatch: StartDispatch, cause: _Cause) -> Effect:
        started = await start_run(self._client, self._task_queue, _start_request(dispatch, cause), cause.lease)
        is_new = self._seen.is_new(started.run_id) and started.started
        if dispatch.held_for:
            await self._room.release(started.workflow_id)
        return Effect("started" if is_new else "already-started", started.workflow_id, started.run_id)

    async def _start_or_signal(self, dispatch: StartDispatch, cause: _Cause) -> Effect:
        latest = await latest_run(self._client, dispatch.workflow_id)
        signal = _as_signal(dispatch, cause.event)
        try:
            # The latest run takes the signal although it has ended, if it had it before: that is how a late
            # repetition is told from a new event. A run that this very event started must not be signalled by it.
            if latest is not None and dispatch.request_id not in latest.started_by:
                return await self._delivered(signal, cause)
        except RunNotFoundError:
            pass  # it has ended
        try:
            return await self._request_start(dispatch, cause)
        except RunExistsError:
            return await self._delivered(signal, cause)

    async def _delivered(self, dispatch: SignalDispatch | CancelDispatch, cause: _Cause) -> Effect:
        return Effect(await deliver(self._client, dispatch, cause.event, cause.lease), dispatch.workflow_id)

    async def _send(self, dispatch: SignalDispatch | CancelDispatch, cause: _Cause) -> Effect:
        if isinstance(dispatch.if_missing, Hold) and await self._room.waits(dispatch.target):
            return await self._hold(dispatch, cause)
        try:
            return await self._delivered(dispatch, cause)
        except RunNotFoundError as error:
            if isinstance(dispatch, CancelDispatch) or dispatch.start is None:
                return await self._missing(dispatch, cause, error)
            await self._start(dispatch.start, cause)
            return await self._delivered(dispatch, cause)

    async def _correlate(self, dispatch: CorrelateDispatch, cause: _Cause) -> Effect:
        if await self._room.waits(dispatch.target):
            return await self._hold(dispatch, cause)
        found = await waiting_runs(self._client, dispatch)
        if found:
            await self._room.hold(holding(dispatch, cause.event, _now(), found))
        took = await deliver_to(self._client, found, dispatch, cause.event, cause.lease)
        if not took:
            await self._room.forget(dispatch.request_id)
            return await self._missing(dispatch, cause, RunMissingError(f"Looked for: {dispatch.target}."))
        return signalled(dispatch.target, took)

    async def settled(self, dispatches: Iterable[Dispatch]) -> None:
        """Forget to which runs correlated messages went; call it once it stands in the event log that they were sent.

        Until then a repetition needs it: a run that has its message does not wait for it any more.
        """
        for dispatch in dispatches:
            if isinstance(dispatch, CorrelateDispatch):
                await self._room.forget(dispatch.request_id)

    async def _missing(self, message: Message, cause: _Cause, error: RunNotFoundError | RunMissingError) -> Effect:
        if isinstance(message.if_missing, Hold):
            return await self._hold(message, cause)
        if message.if_missing == "drop":
            return Effect("dropped", message.target)
        raise error

    async def _hold(self, message: Message, cause: _Cause) -> Effect:
        held = holding(message, cause.event, _now())
        await self._room.hold(held)
        return Effect("held", message.target, held_until=held.expires_at)


def _start_request(dispatch: StartDispatch, cause: _Cause) -> StartRequest:
    conflict = "fail" if dispatch.if_running == "signal" else dispatch.if_running
    return StartRequest(
        definition=dispatch.definition,
        input=dispatch.input,
        key=dispatch.key,
        workflow_id=dispatch.workflow_id,
        request_id=dispatch.request_id,
        correlation_id=cause.event.correlation_id,
        priority=cause.priority,
        if_running=conflict,
    )


def _as_signal(dispatch: StartDispatch, event: Event) -> SignalDispatch:
    asker = Asker(dispatch.definition.id, 0)
    return SignalDispatch(dispatch.workflow_id, event.type, event.data, "dead-letter", dispatch.request_id, asker)


def _recorded(entry: Mapping[str, Json] | None) -> Effect | None:
    """Return what is in the log as an effect; what an earlier delivery started is `already-started` now."""
    if entry is None or entry.get("kind") not in get_args(EffectKind):
        return None
    kind = cast(EffectKind, entry["kind"])
    run = entry.get("run_id")
    return Effect(
        "already-started" if kind == "started" else kind,
        str(entry.get("workflow_id", "")),
        run if isinstance(run, str) else None,
        before=True,
    )


def _request_id(entry: Mapping[str, Json] | None, dispatch: Dispatch) -> str:
    """By which it was held, which may be another id than now: its trigger has moved."""
    return str((entry or {}).get("request_id") or dispatch.request_id)


def _now() -> datetime:
    return datetime.now(UTC)

"""Bring a message to the run or runs that it is for.

The request id is also the message id by which a run drops repetitions, so two triggers that make two signals of one
event are two messages, and a replay that does everything again is not taken for the first time.
"""

from __future__ import annotations

from collections.abc import Iterable

from temporalio.client import Client

from bridge.dispatches import CancelDispatch, CorrelateDispatch, SignalDispatch
from bridge.outcomes import EffectKind
from contracts.envelope import Event
from contracts.ports import Lease
from workflows.temporal.errors import RunNotFoundError
from workflows.temporal.finding import correlated_runs
from workflows.temporal.starting import cancel_run, signal_run


async def deliver(
    client: Client, message: SignalDispatch | CancelDispatch, event: Event, lease: Lease | None
) -> EffectKind:
    """Signal or cancel the run, and return what was done; `lease` as for `start_run`.

    Raises:
        RunNotFoundError: It is not there. One that has ended cannot be signalled either; cancelling it does nothing.
        RefusedByTemporalError: Temporal does not accept it.
        ServiceUnreachableError: Temporal is away.
    """
    if isinstance(message, CancelDispatch):
        await cancel_run(client, message.workflow_id, message.reason, request_id=message.request_id, lease=lease)
        return "cancelled"
    await _signal(client, message.workflow_id, message, event, lease)
    return "signalled"


async def waiting_runs(client: Client, message: CorrelateDispatch) -> tuple[str, ...]:
    """Return the workflow ids of the runs that wait for what `message` is about, as far as Temporal knows by now."""
    return tuple(await correlated_runs(client, message.asker.definition, message.entries))


async def deliver_to(
    client: Client, workflow_ids: Iterable[str], message: CorrelateDispatch, event: Event, lease: Lease | None
) -> tuple[str, ...]:
    """Signal each of these runs and return those that took it; the others have ended meanwhile.

    `lease` as for `start_run`.

    Raises:
        RefusedByTemporalError: Temporal does not accept it.
        ServiceUnreachableError: Temporal is away.
    """
    return tuple([one for one in workflow_ids if await _took(client, one, message, event, lease)])


async def _took(
    client: Client, workflow_id: str, message: CorrelateDispatch, event: Event, lease: Lease | None
) -> bool:
    try:
        await _signal(client, workflow_id, message, event, lease)
    except RunNotFoundError:
        return False
    return True


async def _signal(
    client: Client,
    workflow_id: str,
    message: SignalDispatch | CorrelateDispatch,
    event: Event,
    lease: Lease | None,
) -> None:
    await signal_run(
        client,
        workflow_id,
        message.name,
        message.data,
        event=event.as_binding(),
        message_id=message.request_id,
        request_id=message.request_id,
        lease=lease,
    )

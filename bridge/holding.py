"""What waits for a run that is not there yet: its form at rest, and what the dispatcher asks of whoever keeps it.

A message is kept as it was when its event came, with its data computed: a definition that is changed meanwhile does
not change what was asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bridge.dispatches import Asker, CancelDispatch, CorrelateDispatch, Message, SignalDispatch
from contracts.envelope import Event
from contracts.errors import PermanentError
from contracts.json import Json
from store.held import HeldMessage
from workflows.language.triggers import Hold


class RunMissingError(PermanentError):
    """No run wants the event, and the time to wait for one is over; start the run, then replay the event."""

    code = "run-missing"


@dataclass(frozen=True, slots=True)
class Held:
    """A message, the event that it came by, and until when it is tried.

    `matched` = the runs that a correlated message was found to be for; written down before the first of them is
    signalled, because a run that has its message can no longer be found by it.
    """

    message: Message
    event: Event
    expires_at: datetime
    matched: tuple[str, ...] = ()


class WaitingRoom(Protocol):
    """Keeps messages; each method may raise `ServiceUnreachableError`, and may be repeated."""

    async def waits(self, target: str) -> bool:
        """Tell whether something waits for `target`, behind which what comes now has to queue."""
        ...

    async def holds(self, request_id: str) -> bool:
        """Tell whether a message is kept still: it was neither delivered nor given up."""
        ...

    async def hold(self, held: Held) -> None:
        """Keep a message for good; one that is kept already stays as it is."""
        ...

    async def forget(self, request_id: str) -> None:
        """Keep a message no longer: it was delivered."""
        ...

    async def release(self, workflow_id: str) -> None:
        """Deliver what waits for a run that has just been started, before this returns."""
        ...


def holding(message: Message, event: Event, now: datetime, matched: tuple[str, ...] = ()) -> Held:
    """Return what is to be kept from `now` on; not for longer than the event is of use."""
    choice = message.if_missing if isinstance(message.if_missing, Hold) else Hold()
    until = now + choice.time
    return Held(message, event, until if event.expires_at is None else min(until, event.expires_at), matched)


def in_store(held: Held) -> HeldMessage:
    """Return what is kept, as it lies in the store."""
    message = held.message
    return HeldMessage(
        request_id=message.request_id,
        target=message.target,
        definition=message.asker.definition,
        trigger=message.asker.trigger,
        message=_message_to_json(message),
        envelope=held.event.to_json(),
        expires_at=held.expires_at,
        matched=held.matched,
    )


def out_of_store(kept: HeldMessage) -> Held:
    """Return what was kept."""
    return Held(_message_of(kept), _event_of(kept.envelope), kept.expires_at, kept.matched)


def _message_to_json(message: Message) -> dict[str, Json]:
    match message:
        case SignalDispatch():
            return {"signal": message.name, "workflow_id": message.workflow_id, "data": message.data}
        case CorrelateDispatch():
            return {"signal": message.name, "entries": list(message.entries), "data": message.data}
        case CancelDispatch():
            return {"cancel": message.reason, "workflow_id": message.workflow_id}


def _message_of(kept: HeldMessage) -> Message:
    document, identity, asker = kept.message, kept.request_id, Asker(kept.definition, kept.trigger)
    if "cancel" in document:
        return CancelDispatch(str(document["workflow_id"]), str(document["cancel"]), Hold(), identity, asker)
    name, data, entries = str(document["signal"]), document["data"], document.get("entries")
    if isinstance(entries, list):
        return CorrelateDispatch(tuple(map(str, entries)), name, data, Hold(), identity, asker)
    return SignalDispatch(str(document["workflow_id"]), name, data, Hold(), identity, asker)


def _event_of(envelope: Mapping[str, Json]) -> Event:
    metadata, expiry = envelope["metadata"], envelope.get("expires_at")
    return Event(
        id=str(envelope["event_id"]),
        type=str(envelope["event_type"]),
        version=str(envelope["event_version"]),
        time=datetime.fromisoformat(str(envelope["timestamp"])),
        source=str(envelope["source"]),
        data=envelope["data"],
        metadata=metadata if isinstance(metadata, dict) else {},
        expires_at=None if expiry is None else datetime.fromisoformat(str(expiry)),
        unique_id=envelope.get("unique_id") is not False,
    )

"""What an event asks Temporal for: the closed set of requests that routing makes and dispatching carries out.

Each carries a request id that depends only on the event and the trigger, so that a request repeated after a crash,
by another bridge or by a producer that sent the event twice is the same request to Temporal.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from contracts.json import Json
from workflows.language.triggers import Definition, IfRunning

IfAbsent = Literal["drop", "dead-letter"]

_NAMESPACE: Final = uuid.UUID("3a0c6a53-7d1c-5d5e-9a38-6f1a4d2f8f2b")


@dataclass(frozen=True, slots=True)
class StartDispatch:
    """Start a run. `key` None = the run belongs to this event alone; its workflow id says so."""

    definition: Definition
    workflow_id: str
    key: str | None
    input: Json
    if_running: IfRunning
    request_id: str


@dataclass(frozen=True, slots=True)
class SignalDispatch:
    """Signal a run. Where there is none: start it first with `start`, or else do as `if_missing` says."""

    workflow_id: str
    name: str
    data: Json
    if_missing: IfAbsent
    request_id: str
    start: StartDispatch | None = None


@dataclass(frozen=True, slots=True)
class CancelDispatch:
    """Request the cancellation of a run."""

    workflow_id: str
    reason: str
    if_missing: IfAbsent
    request_id: str


Dispatch: TypeAlias = StartDispatch | SignalDispatch | CancelDispatch


def request_id(event_id: str, definition: str, trigger: int, purpose: str) -> str:
    """Return the id of one request: the same for every delivery of the event.

    Args:
        event_id: Id of the event.
        definition: Id of the definition.
        trigger: Place of the trigger in the definition, from 0.
        purpose: `start`, `signal` or `cancel`.
    """
    return str(uuid.uuid5(_NAMESPACE, "\n".join((event_id, definition, str(trigger), purpose))))

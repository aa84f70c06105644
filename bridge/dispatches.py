"""What an event asks Temporal for: the closed set of requests that routing makes and dispatching carries out.

Each carries a request id that depends only on the event and the trigger, so that a request repeated after a crash,
by another bridge or by a producer that sent the event twice is the same request to Temporal. What waits for a run
that is not there yet waits by its `target`: requests with one target are carried out in the order in which they came.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from contracts.json import Json
from workflows.language.triggers import Definition, Hold, IfRunning

IfAbsent: TypeAlias = Literal["drop", "dead-letter"] | Hold

_NAMESPACE: Final = uuid.UUID("3a0c6a53-7d1c-5d5e-9a38-6f1a4d2f8f2b")


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: a trigger, by its definition and its place there, from 0."""

    definition: str
    trigger: int


@dataclass(frozen=True, slots=True)
class StartDispatch:
    """Start a run of the version `definition`.

    `key` None = the run belongs to this event alone; its workflow id says so. `held_for` = whether something may wait
    for it; if not, a start need not look.
    """

    definition: Definition
    workflow_id: str
    key: str | None
    input: Json
    if_running: IfRunning
    request_id: str
    held_for: bool = False

    @property
    def target(self) -> str:
        """What it is for: the workflow id."""
        return self.workflow_id


@dataclass(frozen=True, slots=True)
class SignalDispatch:
    """Signal a run. Where there is none: start it first with `start`, or else do as `if_missing` says."""

    workflow_id: str
    name: str
    data: Json
    if_missing: IfAbsent
    request_id: str
    asker: Asker
    start: StartDispatch | None = None

    @property
    def target(self) -> str:
        """What it is for: the workflow id."""
        return self.workflow_id


@dataclass(frozen=True, slots=True)
class CorrelateDispatch:
    """Signal each run of the asking definition that waits for all of `entries`, such as `invoice=4711`."""

    entries: tuple[str, ...]
    name: str
    data: Json
    if_missing: IfAbsent
    request_id: str
    asker: Asker

    @property
    def target(self) -> str:
        """What it is for, such as `order?invoice=4711`; never a workflow id of a run by key, which has a `/` first."""
        return f"{self.asker.definition}?{'&'.join(self.entries)}"


@dataclass(frozen=True, slots=True)
class CancelDispatch:
    """Request the cancellation of a run."""

    workflow_id: str
    reason: str
    if_missing: IfAbsent
    request_id: str
    asker: Asker

    @property
    def target(self) -> str:
        """What it is for: the workflow id."""
        return self.workflow_id


Message: TypeAlias = SignalDispatch | CorrelateDispatch | CancelDispatch
"""What needs a run that is there."""

Dispatch: TypeAlias = StartDispatch | Message


def request_id(identity: str, definition: str, trigger: int, purpose: str, salt: str = "") -> str:
    """Return the id of one request: the same for every delivery of the event.

    Args:
        identity: What tells the event from all others.
        definition: Id of the definition.
        trigger: Place of the trigger in the definition, from 0.
        purpose: `start`, `signal` or `cancel`.
        salt: Something that makes the request another one although the event is the same, such as the id of a replay
            that is to do everything again.
    """
    parts = (identity, definition, str(trigger), purpose) + ((salt,) if salt else ())
    return str(uuid.uuid5(_NAMESPACE, "\n".join(parts)))

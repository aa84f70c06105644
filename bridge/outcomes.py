"""What became of an event.

An outcome is final: it says what the acknowledgement will be, and it is what logs, counters and observers are told.
It never holds the event's data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

EffectKind = Literal["started", "already-started", "signalled", "cancelled", "dropped", "held"]


@dataclass(frozen=True, slots=True)
class Effect:
    """What one trigger did.

    `already-started`: the same event started the run before, or another run with this key is running and the trigger
    says to ignore that. `dropped`: there was no run, and the trigger says to ignore that. `held`: there was no run,
    and the keeper goes on trying until `held_until` (None: an earlier delivery of the event was held).

    `before`: it is on record that the event did this earlier; nothing was done now.

    `workflow_id` is the run's; where several runs were signalled by correlation, or none yet, it is the dispatch's
    target, such as `order?invoice=4711`.
    """

    kind: EffectKind
    workflow_id: str
    run_id: str | None = None
    held_until: datetime | None = None
    before: bool = False

    def __str__(self) -> str:
        """In words, such as `started order/A1`."""
        return f"{self.kind} {self.workflow_id}{' (before, not again)' if self.before else ''}"


def signalled(target: str, workflow_ids: Sequence[str]) -> Effect:
    """Return the effect of a signal that went to these runs: the run's where it is one, else under the target."""
    return Effect("signalled", workflow_ids[0] if len(workflow_ids) == 1 else target)


@dataclass(frozen=True, slots=True)
class Dispatched:
    """Temporal has accepted everything that the event's triggers asked for."""

    effects: tuple[Effect, ...]


@dataclass(frozen=True, slots=True)
class Unrouted:
    """No trigger wants the event, which is no error."""


@dataclass(frozen=True, slots=True)
class Refused:
    """At least one thing that the event asked for can never succeed; `effects` holds what did."""

    code: str
    reason: str
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The same event was handled before, within the window of deduplication."""


@dataclass(frozen=True, slots=True)
class Expired:
    """Its time was over before it was handled; nothing was done for it."""


@dataclass(frozen=True, slots=True)
class Delayed:
    """It failed for an unclear reason, or is behind one with its key that did, and comes back after a delay.

    Attributes:
        level: Which delay, counted from 0; see `bridge/topology/names.py`.
        failed: Whether it was tried itself; else it only waits for the one before it.
        reason: What happened.
    """

    level: int
    failed: bool
    reason: str


Result: TypeAlias = Dispatched | Unrouted | Refused | Duplicate | Expired | Delayed


Word = Literal["dispatched", "held", "unrouted", "dead-lettered", "conflict", "duplicate", "expired", "delayed"]
CONFLICT: Final = "event-conflict"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result for one delivery. Identity (`event_id`) and type are None where the message is no event."""

    event_id: str | None
    event_type: str | None
    routing_key: str
    attempts: int
    result: Result

    @property
    def word(self) -> Word:
        """One word for people, the log and counters."""
        match self.result:
            case Dispatched(effects=effects):
                return "held" if any(effect.kind == "held" for effect in effects) else "dispatched"
            case Unrouted():
                return "unrouted"
            case Refused(code=code):
                return "conflict" if code == CONFLICT else "dead-lettered"
            case Duplicate():
                return "duplicate"
            case Expired():
                return "expired"
            case Delayed():
                return "delayed"

    @property
    def sentence(self) -> str | None:
        """What became of it, for people who retried it; None while that is open."""
        match self.result:
            case Dispatched(effects=effects):
                return f"{', '.join(map(str, effects))}."
            case Refused(reason=reason, effects=effects):
                done = f"{', '.join(map(str, effects))}; " if effects else ""
                return f"{done}dead-lettered again: {reason}"
            case Unrouted():
                return "No trigger wants it."
            case Expired():
                return "Its time was over; nothing was done."
            case Duplicate() | Delayed():
                return None

"""What became of an event.

An outcome is final: it says what the acknowledgement will be, and it is what logs, counters and observers are told.
It never holds the event's data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

EffectKind = Literal["started", "already-started", "signalled", "cancelled", "dropped"]


@dataclass(frozen=True, slots=True)
class Effect:
    """What one trigger did.

    `already-started`: the same event started the run before, or another run with this key is running and the trigger
    says to ignore that. `dropped`: there was no run, and the trigger says to ignore that.
    """

    kind: EffectKind
    workflow_id: str
    run_id: str | None = None


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


Result: TypeAlias = Dispatched | Unrouted | Refused


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result for one delivery. The id and type are None where the message is no event."""

    event_id: str | None
    event_type: str | None
    routing_key: str
    attempts: int
    result: Result

    @property
    def word(self) -> Literal["dispatched", "unrouted", "dead-lettered"]:
        """One word for people and counters."""
        match self.result:
            case Dispatched():
                return "dispatched"
            case Unrouted():
                return "unrouted"
            case Refused():
                return "dead-lettered"

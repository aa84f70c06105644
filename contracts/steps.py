"""What an activity learns about the step that it carries out.

The engine makes a `StepContext` for each remote or local activity; it travels as the second argument beside the step's
`with`. It holds what Temporal's own activity info cannot say: the idempotency key that survives continue-as-new and
reset, the retry rules that a Temporal policy cannot express, and, for a compensation, the key of the step it undoes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from contracts.json import Json

UNATTEMPTED: Final = "saga-unattempted"
"""Type of the error of a delivery that is no attempt of the step: its worker was stopped, or has no such action."""

UNCOUNTED: Final = 1_000_000_000
"""Added to a step's attempts where Temporal's limit must never be reached, because deliveries count that are none."""


@dataclass(frozen=True, slots=True)
class RetryRule:
    """The part of a step's retry that the translator of errors decides.

    Attributes:
        on: Problem types that are retried; empty means all that are not permanent.
        jitter: Share of the delay that is random, 0 to 1.
        backoff: First delay, seconds.
        factor: Growth of the delay from one attempt to the next.
        max_backoff: Longest delay, seconds.
    """

    on: tuple[str, ...] = ()
    jitter: float = 0.0
    backoff: float = 1.0
    factor: float = 2.0
    max_backoff: float = 60.0


@dataclass(frozen=True, slots=True)
class StepContext:
    """Which step of which run an activity carries out.

    Attributes:
        definition: Id of the definition.
        version: Its version.
        run: First execution run id of the workflow; the same through continue-as-new and reset.
        workflow_id: Id of the workflow.
        step: Path of the step, such as `pack[3]/weigh`.
        idempotency_key: `<run>/<step>`; the same at every attempt.
        undoes: Idempotency key of the step that this one compensates, or None.
        correlation_id: Correlation id of the event that started the run, or None.
        retry: Set only when the Temporal policy does not say it all.
    """

    definition: str
    version: str
    run: str
    workflow_id: str
    step: str
    idempotency_key: str
    undoes: str | None = None
    correlation_id: str | None = None
    retry: RetryRule | None = None

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form, without absent members."""
        document: dict[str, Json] = {
            "definition": self.definition,
            "version": self.version,
            "run": self.run,
            "workflow_id": self.workflow_id,
            "step": self.step,
            "idempotency_key": self.idempotency_key,
        }
        if self.undoes is not None:
            document["undoes"] = self.undoes
        if self.correlation_id is not None:
            document["correlation_id"] = self.correlation_id
        if self.retry is not None:
            document["retry"] = asdict(self.retry) | {"on": list(self.retry.on)}
        return document

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> StepContext:
        """Read the JSON form."""
        rule = document.get("retry")
        values = dict(document) | {"retry": None}
        context = cls(**values)
        if rule is None:
            return context
        read = RetryRule(**(dict(rule) | {"on": tuple(rule.get("on", ()))}))
        return cls(**(dict(document) | {"retry": read}))


@dataclass(frozen=True, slots=True)
class Earlier:
    """What became of a step in an earlier activity, which ended with a delivery that was no attempt.

    It travels as the third argument of the activity that goes on with the step, because no heartbeat does.

    Attributes:
        attempts: Attempts that count against the step's limit.
        deliveries: How often a worker took it, what is no attempt included.
        unknown: Whether the effect of one of them may have happened.
        scheduled_at: When the step was scheduled first, ISO 8601.
    """

    attempts: int
    deliveries: int
    unknown: bool
    scheduled_at: str

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Earlier:
        """Read the JSON form; members that are not known are left out.

        Raises:
            KeyError: A member is missing.
        """
        return cls(*(document[name] for name in ("attempts", "deliveries", "unknown", "scheduled_at")))

    def moment(self) -> datetime:
        """Return when the step was scheduled first."""
        return datetime.fromisoformat(self.scheduled_at)

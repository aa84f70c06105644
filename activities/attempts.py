"""What earlier attempts of a step left behind: did they fail for certain, or may their effect have happened?

A worker that dies, or an attempt that runs out of time, cannot report anything. So each attempt that fails for
certain says so in its last heartbeat, which the server hands to the next attempt. Where the word of the attempt
before is missing, its effect may have happened, and that taint goes with the step to its end: should the step fail at
last, its outcome is unknown, and it is compensated.

A delivery to a worker that is stopped in the middle, or has no such action, is no attempt of the step. Temporal
counts it all the same, so such a delivery ends the activity, and the run starts another, in which we count: Temporal's
limit is then out of reach (`UNCOUNTED`), and the deliveries that were no attempts are kept in the heartbeats, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from temporalio.activity import Info

from contracts.json import Json
from contracts.steps import UNCOUNTED, Earlier

_EARLIER = 2  # which argument of an activity it is
_NOTHING = Earlier(0, 0, unknown=False, scheduled_at="")


@dataclass(frozen=True, slots=True)
class Attempts:
    """The attempts of one step up to this one.

    Attributes:
        number: This delivery, as Temporal counts in this activity, from 1.
        certain: The last delivery that ended for certain; 0 = none.
        tainted: Whether the effect of an earlier attempt may have happened.
        recorded: Whether heartbeats reach the next attempt; a local activity has none.
        free: How many deliveries before this one were no attempts, in this activity.
        earlier: What an activity before this one left.
        limit: How many attempts there may be, where we count them and not Temporal; 0 = without limit.
        patient: Whether Temporal never gives it up for the number of its deliveries.
    """

    number: int
    certain: int
    tainted: bool
    recorded: bool
    free: int = 0
    earlier: Earlier = _NOTHING
    limit: int = 0
    patient: bool = False

    @classmethod
    def of(cls, info: Info, earlier: Earlier | None = None) -> Attempts:
        """Read what the attempt before left; `earlier` is from the activity before this one."""
        before = earlier or _NOTHING
        maximum = None if info.retry_policy is None else info.retry_policy.maximum_attempts
        limit = max(0, (maximum or 0) - UNCOUNTED)
        patient = maximum == 0 or limit > 0
        if info.is_local or info.attempt == 1:
            recorded = not info.is_local
            return cls(info.attempt, 0, before.unknown, recorded, 0, before, limit, patient and recorded)
        left = _last_word(info.heartbeat_details)
        certain = left.get("certain", 0)
        silent = certain != info.attempt - 1
        tainted = silent or bool(left.get("unknown"))
        return cls(info.attempt, certain, tainted, True, left.get("free", 0), before, limit, patient)

    @property
    def count(self) -> int:
        """Number of this attempt, from 1: what is no attempt is not counted."""
        return self.earlier.attempts + self.number - self.free

    @property
    def is_one_too_many(self) -> bool:
        """Tell whether the attempts were used up by those before, which Temporal did not notice."""
        return 0 < self.limit < self.count

    @property
    def is_last(self) -> bool:
        """Tell whether we allow no other attempt after this one; Temporal may allow none either."""
        return 0 < self.limit <= self.count

    def scheduled_at(self, here: datetime) -> datetime:
        """Return when the step was scheduled, the same at every attempt; `here` = this activity of it."""
        return self.earlier.moment() if self.earlier.deliveries else here

    def alive(self, progress: Json = None) -> dict[str, Json]:
        """Return the details of a heartbeat in the middle of this attempt: it has not failed yet."""
        return {"certain": self.certain, "unknown": self.tainted, **_free(self.free), "progress": progress}

    def ended(self, *, unknown: bool) -> dict[str, Json]:
        """Return the details of the last heartbeat of this attempt, which fails; `unknown`: its effect may have
        happened."""
        return {"certain": self.number, "unknown": self.tainted or unknown, **_free(self.free)}

    def taken_back(self, *, unknown: bool) -> dict[str, Json]:
        """Return the details of the last heartbeat of this delivery, which is no attempt."""
        return self.ended(unknown=unknown) | _free(self.free + 1)

    def handed_on(self, here: datetime, *, unknown: bool) -> Earlier:
        """Return what the activity that goes on with the step is given, if this delivery, of the one scheduled `here`,
        is no attempt."""
        deliveries = self.earlier.deliveries + self.number
        return Earlier(self.count - 1, deliveries, self.tainted or unknown, self.scheduled_at(here).isoformat())


def earlier_of(arguments: Sequence[Any]) -> Earlier | None:
    """Return what an activity with these arguments is told of the one before it; None = it is the first."""
    given = arguments[_EARLIER] if len(arguments) > _EARLIER else None
    return Earlier.from_json(given) if isinstance(given, Mapping) else None


def _free(count: int) -> dict[str, Json]:
    return {"free": count} if count else {}


def _last_word(details: Any) -> Mapping[str, Any]:
    return details[0] if details and isinstance(details[0], Mapping) else {}

"""What earlier attempts of a step left behind: did they fail for certain, or may their effect have happened?

A worker that dies, or an attempt that runs out of time, cannot report anything. So each attempt that fails for
certain says so in its last heartbeat, which the server hands to the next attempt. Where the word of the attempt
before is missing, its effect may have happened, and that taint goes with the step to its end: should the step fail at
last, its outcome is unknown, and it is compensated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from temporalio.activity import Info

from contracts.json import Json


@dataclass(frozen=True, slots=True)
class Attempts:
    """The attempts of one step up to this one.

    Attributes:
        number: This attempt, from 1.
        certain: The last attempt that failed for certain; 0 = none.
        tainted: Whether the effect of an earlier attempt may have happened.
        recorded: Whether heartbeats reach the next attempt; a local activity has none.
    """

    number: int
    certain: int
    tainted: bool
    recorded: bool

    @classmethod
    def of(cls, info: Info) -> Attempts:
        """Read what the attempt before left."""
        if info.is_local or info.attempt == 1:
            return cls(info.attempt, certain=0, tainted=False, recorded=not info.is_local)
        left = _last_word(info.heartbeat_details)
        certain = left.get("certain", 0)
        silent = certain != info.attempt - 1
        return cls(info.attempt, certain=certain, tainted=silent or bool(left.get("unknown")), recorded=True)

    def alive(self, progress: Json = None) -> dict[str, Json]:
        """Return the details of a heartbeat in the middle of this attempt: it has not failed yet."""
        return {"certain": self.certain, "unknown": self.tainted, "progress": progress}

    def ended(self, *, unknown: bool) -> dict[str, Json]:
        """Return the details of the last heartbeat of this attempt, which fails; `unknown`: its effect may have
        happened."""
        return {"certain": self.number, "unknown": self.tainted or unknown}


def _last_word(details: Any) -> Mapping[str, Any]:
    return details[0] if details and isinstance(details[0], Mapping) else {}

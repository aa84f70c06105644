"""What a definition says about being watched: which lifecycle events its runs tell, and how long one may take.

Part of a compiled definition but not of its plan, as triggers are: a run does the same with and without, so its
digest is the same, and nothing of it is in the run's history.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Moment: TypeAlias = Literal[
    "started",
    "step.completed",
    "step.failed",
    "waiting",
    "compensating",
    "completed",
    "recovered",
    "failed",
    "compensated",
    "rollback-incomplete",
    "cancelled",
    "timed-out",
]
OnBreach: TypeAlias = Literal["emit"]

MOMENTS: Final[tuple[Moment, ...]] = (
    "started",
    "step.completed",
    "step.failed",
    "waiting",
    "compensating",
    "completed",
    "recovered",
    "failed",
    "compensated",
    "rollback-incomplete",
    "cancelled",
    "timed-out",
)
"""The moments of a run that can be told, each as an event `workflow.<moment>`."""

BREACH_ANSWERS: Final[tuple[OnBreach, ...]] = ("emit",)
EVERY_MOMENT: Final = "all"
PREFIX: Final = "workflow."
BREACHED: Final = "workflow.sla-breached"


@dataclass(frozen=True, slots=True)
class Sla:
    """How long a run may take (seconds), and what is done about one that takes longer."""

    max_duration: float
    on_breach: OnBreach = "emit"

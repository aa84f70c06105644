"""Triggers: what, besides a person, starts, signals or cancels a run.

Part of a compiled definition but not of its plan: a changed trigger does not change what a running run does. The
bridge matches events against `EventTrigger`s; the schedule reconciler makes a Temporal Schedule of each
`ScheduleTrigger`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal, TypeAlias

from workflows.language.expressions.cel import Expression
from workflows.language.expressions.template import Template
from workflows.language.plan import Plan
from workflows.language.rollout import Rollout
from workflows.language.watching import Moment, Sla

IfRunning = Literal["ignore", "signal", "terminate", "fail"]
Overlap = Literal["skip", "buffer_one", "buffer_all", "cancel_other", "terminate_other", "allow_all"]

HOLD_DEFAULT: Final = timedelta(minutes=10)
HOLD_LONGEST: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep what came before its run, and try again until the time is over."""

    time: timedelta = HOLD_DEFAULT


IfMissing: TypeAlias = Literal["drop", "dead-letter", "start"] | Hold


@dataclass(frozen=True, slots=True)
class Start:
    """Start a run. `key` None = one run for each event id; `input` None = the event's data."""

    key: Template | None = None
    input: Template | None = None
    if_running: IfRunning = "ignore"


@dataclass(frozen=True, slots=True)
class Signal:
    """Signal the run with this key, or each run that waits for these fields. `data` None = the event's data.

    Just one of `key` and `correlate` is given; `correlate` makes a map of field to value, and is never with `start`.
    """

    key: Template | None
    name: str
    data: Template | None = None
    if_missing: IfMissing = "dead-letter"
    correlate: Template | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """Request the cancellation of the run with this key. `if_missing` is never `start`."""

    key: Template
    if_missing: IfMissing = "drop"


@dataclass(frozen=True, slots=True)
class EventTrigger:
    """What an event does whose type matches the topic pattern `event` and for which `when` holds.

    Expressions see `event`.
    """

    event: str
    when: Expression | None
    does: Start | Signal | Cancel


@dataclass(frozen=True, slots=True)
class ScheduleTrigger:
    """A cron schedule; durations in seconds. `catch_up` = how late a missed start is still made."""

    cron: str
    timezone: str = "UTC"
    overlap: Overlap = "skip"
    catch_up: float = 60.0
    jitter: float = 0.0
    paused: bool = False
    input: Template | None = None


@dataclass(frozen=True, slots=True)
class Keep:
    """How long, in seconds, what is known of ended runs stays; None = as the operator has set it.

    It is no part of the plan: a deployed version may be given another one.
    """

    succeeded: float | None = None
    failed: float | None = None


@dataclass(frozen=True, slots=True)
class Definition:
    """A compiled definition: its plan, triggers and rollout, its file, and how its runs are watched and kept."""

    plan: Plan
    triggers: tuple[EventTrigger | ScheduleTrigger, ...] = ()
    file: str = ""
    rollout: Rollout | None = None
    lifecycle: tuple[Moment, ...] = ()
    sla: Sla | None = None
    keep: Keep = Keep()

    @property
    def id(self) -> str:
        """Id of the definition, which is its Temporal workflow type."""
        return self.plan.id

    @property
    def version(self) -> str:
        """Semantic version."""
        return self.plan.version

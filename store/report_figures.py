"""The figures of a report, as data. Times are seconds; shares are 0 to 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import sqrt

from store.critical_path import CriticalPath


@dataclass(frozen=True, slots=True)
class Selection:
    """Which runs are meant: those that began since then; of one definition, and of some of its versions only."""

    since: datetime
    definition: str | None = None
    versions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """A version that has runs on record, whenever they began."""

    definition: str
    version: str
    runs: int
    latest_at: datetime


@dataclass(frozen=True, slots=True)
class Bucket:
    """How many runs took at least `lower` and less than `upper` seconds."""

    lower: float
    upper: float
    runs: int


@dataclass(frozen=True, slots=True)
class Durations:
    """How long runs that have ended took, from beginning to end, waiting included."""

    runs: int
    mean: float
    deviation: float
    p50: float
    p95: float
    p99: float
    histogram: tuple[Bucket, ...]


@dataclass(frozen=True, slots=True)
class StepTimes:
    """Where the time of a step went, all items and rounds of all runs together.

    Attributes:
        step: Its id.
        kind: What it is; `compensation` where it is the undoing of the step.
        is_compensation: Likewise.
        is_block: Whether it holds other steps: its time is theirs.
        ended: How often it was carried out.
        total: From entering to going on.
        squares: Sum of the squares of the same, for the spread.
        longest: The longest single one.
        queueing: Waiting for a worker.
        running: The attempt that counted.
        retrying: Earlier attempts, and the pauses between them.
        people: Waiting for people.
        events: Waiting for events, signals and timers.
        retries: Attempts after the first.
    """

    step: str
    kind: str
    is_compensation: bool
    is_block: bool
    ended: int
    total: float
    squares: float
    longest: float
    queueing: float
    running: float
    retrying: float
    people: float
    events: float
    retries: int

    @property
    def mean(self) -> float:
        """Time of one."""
        return self.total / self.ended if self.ended else 0.0

    @property
    def deviation(self) -> float:
        """Standard deviation of that."""
        if self.ended < 2:  # noqa: PLR2004  # one alone has no spread
            return 0.0
        return sqrt(max(self.squares - self.ended * self.mean**2, 0.0) / (self.ended - 1))

    @property
    def handover(self) -> float:
        """What the parts leave of the total: the way between the engine, Temporal and the workers."""
        parts = self.queueing + self.running + self.retrying + self.people + self.events
        return 0.0 if self.is_block else max(self.total - parts, 0.0)


@dataclass(frozen=True, slots=True)
class Failure:
    """Failures of one type at one step.

    Attributes:
        step: Its id, or None: the run failed without a step, such as by its input or its time-out.
        is_compensation: Whether the undoing of the step failed.
        problem_type: Type of the problem.
        failures: How many there were.
        runs: In how many runs.
        example: Workflow id of the latest such run.
        example_run: Its run id.
        detail: What was said there.
    """

    step: str | None
    is_compensation: bool
    problem_type: str
    failures: int
    runs: int
    example: str
    example_run: str
    detail: str


@dataclass(frozen=True, slots=True)
class VersionReport:
    """The figures of one version of a definition.

    Attributes:
        definition: Its id.
        version: Its version.
        outcomes: Runs by status.
        ended: Runs that are over.
        succeeded: Those of them that did what they were for: completed or recovered.
        actions: Temporal actions that all of them asked for, retries not counted.
        durations: None where no run has ended.
        steps: Those that take the most time first.
        failures: The most frequent first.
        path: The critical path of the latest runs.
    """

    definition: str
    version: str
    outcomes: Mapping[str, int]
    ended: int
    succeeded: int
    actions: int
    durations: Durations | None
    steps: tuple[StepTimes, ...]
    failures: tuple[Failure, ...]
    path: CriticalPath

    @property
    def name(self) -> str:
        """Definition and version in one word, as `saga graph` takes it."""
        return f"{self.definition}@{self.version}"

    @property
    def runs(self) -> int:
        """All runs."""
        return sum(self.outcomes.values())

    @property
    def success_rate(self) -> float | None:
        """Share of the ended runs that succeeded; None where none has ended."""
        return self.succeeded / self.ended if self.ended else None

    @property
    def retries(self) -> int:
        """Attempts after the first, at all steps."""
        return sum(step.retries for step in self.steps)

    @property
    def actions_per_run(self) -> float:
        """What a run costs: Temporal actions, retries among them."""
        return (self.actions + self.retries) / self.runs if self.runs else 0.0

    @property
    def main_steps(self) -> tuple[StepTimes, ...]:
        """The steps that have time of their own, without compensations."""
        return tuple(step for step in self.steps if not step.is_compensation and not step.is_block)

    @property
    def compensations(self) -> tuple[StepTimes, ...]:
        """The undoing of steps."""
        return tuple(step for step in self.steps if step.is_compensation)


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of all that was asked for, and what there is on record at all."""

    selection: Selection
    made_at: datetime
    versions: tuple[VersionReport, ...]
    known: tuple[Known, ...]

"""Which steps made runs as long as they were: the critical path, walked backwards from each run's end.

The step that ended last before the run's end was on it; before that, the step that ended last before this one began;
and so on to the beginning. A branch that was done earlier than its neighbour is thus left out: making it faster would
not end a single run earlier. What lies between the steps is the way between the engine, Temporal and the workers.

Steps that hold others (a decision, a parallel) have no time of their own and are left out, except a foreach whose
items ran elsewhere, in runs that each worked off a slice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

BLOCKS: Final = frozenset({"decision", "parallel", "foreach", "repeat", "try"})
COMPENSATION: Final = "compensation"
_CLOCK_SECONDS: Final = 0.000_5

Key = tuple[str, bool]


@dataclass(frozen=True, slots=True)
class Interval:
    """A step of a run that has ended; times are seconds from the run's beginning."""

    path: str
    step: str
    kind: str
    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class Course:
    """A run that has ended: its length in seconds, and its steps."""

    seconds: float
    steps: Sequence[Interval]


@dataclass(frozen=True, slots=True)
class Stop:
    """A step on the critical path of some runs.

    Attributes:
        step: Its id.
        is_compensation: Whether it is the undoing of that step.
        runs: On how many runs' paths it was.
        led: On how many of them nothing took longer.
        seconds: Its time on them, all together.
        share: Of the time of all runs, 0 to 1.
    """

    step: str
    is_compensation: bool
    runs: int
    led: int
    seconds: float
    share: float


@dataclass(frozen=True, slots=True)
class CriticalPath:
    """The critical paths of many runs together.

    Attributes:
        runs: How many runs were looked at.
        seconds: Their time, all together.
        between: The seconds of it that lie between steps.
        stops: The steps, in the order in which runs come by.
    """

    runs: int = 0
    seconds: float = 0.0
    between: float = 0.0
    stops: tuple[Stop, ...] = ()

    @property
    def bottleneck(self) -> Stop | None:
        """The step with the largest share; None where no step took any time."""
        return max((stop for stop in self.stops if stop.seconds > 0), key=lambda stop: stop.seconds, default=None)


@dataclass(slots=True)
class _Sum:
    runs: set[int] = field(default_factory=set)
    led: int = 0
    seconds: float = 0.0
    places: list[float] = field(default_factory=list)


def walked(course: Course) -> Iterator[Interval]:
    """Yield the steps on the critical path of one run, the last first."""
    until = course.seconds
    for step in sorted(_with_own_time(course.steps), key=lambda step: (step.ended, step.began), reverse=True):
        if step.ended <= until + _CLOCK_SECONDS:
            yield step
            until = min(until, step.began)


def critical_path(courses: Iterable[Course]) -> CriticalPath:
    """Return the critical paths of all runs together, by step id."""
    sums: defaultdict[Key, _Sum] = defaultdict(_Sum)
    runs, seconds = 0, 0.0
    for course in courses:
        runs, seconds = runs + 1, seconds + course.seconds
        _add(sums, runs, tuple(walked(course))[::-1])
    between = seconds - sum(each.seconds for each in sums.values())
    ordered = sorted(sums.items(), key=lambda item: (item[0][1], sum(item[1].places) / len(item[1].places), item[0]))
    stops = tuple(_stop(*key, each, seconds) for key, each in ordered)
    return CriticalPath(runs, seconds, max(between, 0.0), stops)


def _add(sums: Mapping[Key, _Sum], run: int, path: Sequence[Interval]) -> None:
    """Add the path of one run, a step at a time: the items of a loop are one step."""
    times: defaultdict[Key, float] = defaultdict(float)
    for place, step in enumerate(path):
        each = sums[_key(step)]
        each.runs.add(run)
        each.places.append(place)
        times[_key(step)] += step.ended - step.began
    for key, seconds in times.items():
        sums[key].seconds += seconds
    if times:
        sums[max(times, key=lambda key: times[key])].led += 1


def _key(step: Interval) -> Key:
    return step.step, step.kind == COMPENSATION


def _stop(step: str, is_compensation: bool, each: _Sum, of: float) -> Stop:
    share = each.seconds / of if of else 0.0
    return Stop(step, is_compensation, len(each.runs), each.led, each.seconds, share)


def _with_own_time(steps: Sequence[Interval]) -> list[Interval]:
    holders = {step.path.rpartition("[")[0] for step in steps}
    return [step for step in steps if step.kind not in BLOCKS or (step.kind == "foreach" and step.path not in holders)]

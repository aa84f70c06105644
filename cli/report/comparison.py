"""Two versions side by side, and which of their differences matter.

A difference matters when it is both beyond chance (19 times out of 20) and large enough to care: a percentage point
of the success rate, a tenth of anything else. Beyond chance is, for rates, what the two-proportion test says, for means
Welch's test, for percentiles that the intervals of their order statistics do not touch; all need some runs, so that two
lucky ones prove nothing. The second version is judged against the first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Final, Literal

from cli.report import units
from store.report_figures import Durations, StepTimes, VersionReport

Verdict = Literal["better", "worse", "alike", "too few"]

FEWEST: Final = 20
_Z: Final = 1.96
_POINT: Final = 0.01
_TENTH: Final = 0.1


@dataclass(frozen=True, slots=True)
class Line:
    """A figure of both versions.

    Attributes:
        name: What it is.
        before: Of the first version, for people; likewise `after`.
        change: The difference.
        verdict: Whether it matters, and in which direction; "too few" = there are not enough runs to say.
    """

    name: str
    before: str
    after: str
    change: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two versions of a definition, the figures of the whole and of each step."""

    before: VersionReport
    after: VersionReport
    whole: tuple[Line, ...]
    steps: tuple[Line, ...]

    @property
    def matters(self) -> tuple[Line, ...]:
        """The differences that matter."""
        return tuple(line for line in (*self.whole, *self.steps) if line.verdict in ("better", "worse"))


def compare(before: VersionReport, after: VersionReport) -> Comparison:
    """Return the comparison of two versions."""
    whole = [_success(before, after), *_percentiles(before.durations, after.durations), _cost(before, after)]
    return Comparison(before, after, tuple(whole), tuple(_steps(before, after)))


def _success(before: VersionReport, after: VersionReport) -> Line:
    first, second = before.success_rate, after.success_rate
    shown = units.share(first), units.share(second)
    if first is None or second is None:
        return Line("success rate", *shown, units.NONE, "too few")
    points = f"{(second - first) * 100:+.1f} points"
    if min(before.ended, after.ended) < FEWEST:
        return Line("success rate", *shown, points, "too few")
    pooled = (before.succeeded + after.succeeded) / (before.ended + after.ended)
    error = sqrt(pooled * (1 - pooled) * (1 / before.ended + 1 / after.ended))
    matters = abs(second - first) >= _POINT and abs(second - first) > _Z * error
    return Line("success rate", *shown, points, _verdict(matters, second > first))


def _percentiles(before: Durations | None, after: Durations | None) -> list[Line]:
    figures: tuple[tuple[str, float, Callable[[Durations], float]], ...] = (
        ("duration p50", 0.50, lambda each: each.p50),
        ("duration p95", 0.95, lambda each: each.p95),
        ("duration p99", 0.99, lambda each: each.p99),
    )
    return [_percentile(name, part, before, after, of) for name, part, of in figures]


def _percentile(
    name: str, part: float, before: Durations | None, after: Durations | None, of: Callable[[Durations], float]
) -> Line:
    first, second = (None if each is None else of(each) for each in (before, after))
    shown = units.length(first), units.length(second)
    if before is None or after is None or first is None or second is None:
        return Line(name, *shown, units.NONE, "too few")
    if min(before.runs, after.runs) * (1 - part) < 1 or min(before.runs, after.runs) < FEWEST:
        return Line(name, *shown, units.change(first, second), "too few")
    (low, high), (other_low, other_high) = _interval(before, part), _interval(after, part)
    apart = high < other_low or other_high < low
    return Line(name, *shown, units.change(first, second), _verdict(apart and _far(first, second), second < first))


def _interval(durations: Durations, part: float) -> tuple[float, float]:
    """Where the percentile lies, 19 times out of 20, by the ranks on both sides of it."""
    margin = _Z * sqrt(part * (1 - part) / durations.runs)
    return _at(durations, part - margin), _at(durations, min(part + margin, 1.0))


def _at(durations: Durations, part: float) -> float:
    """The duration that this part of the runs did not reach, read from the histogram."""
    left = part * durations.runs
    for bucket in durations.histogram:
        if left <= bucket.runs:
            return bucket.lower + (bucket.upper - bucket.lower) * max(left, 0.0) / bucket.runs
        left -= bucket.runs
    return durations.histogram[-1].upper


def _cost(before: VersionReport, after: VersionReport) -> Line:
    first, second = before.actions_per_run, after.actions_per_run
    few = min(before.runs, after.runs) < FEWEST
    verdict: Verdict = "too few" if few else _verdict(_far(first, second), second < first)
    return Line("actions per run", units.mean(first), units.mean(second), units.change(first, second), verdict)


def _steps(before: VersionReport, after: VersionReport) -> list[Line]:
    first, second = ({step.step: step for step in each.main_steps} for each in (before, after))
    return [_step(name, first.get(name), second.get(name)) for name in dict.fromkeys((*first, *second))]


def _step(name: str, before: StepTimes | None, after: StepTimes | None) -> Line:
    shown = tuple(units.length(None if step is None else step.mean) for step in (before, after))
    if before is None or after is None:
        return Line(name, shown[0], shown[1], "new" if before is None else "gone", "alike")
    moved = units.change(before.mean, after.mean)
    if min(before.ended, after.ended) < FEWEST:
        return Line(name, shown[0], shown[1], moved, "too few")
    error = sqrt(before.deviation**2 / before.ended + after.deviation**2 / after.ended)
    matters = _far(before.mean, after.mean) and abs(after.mean - before.mean) > _Z * error
    return Line(name, shown[0], shown[1], moved, _verdict(matters, after.mean < before.mean))


def _far(before: float, after: float) -> bool:
    return abs(after - before) >= _TENTH * abs(before) and after != before


def _verdict(matters: bool, better: bool) -> Verdict:
    if not matters:
        return "alike"
    return "better" if better else "worse"

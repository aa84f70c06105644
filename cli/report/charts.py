"""The charts of the page: outcomes, durations, where the time of a step goes, the critical path.

Bars are boxes whose widths are shares, so that they fit a telephone as well as a wall; only the histogram is SVG. Each
figure that a bar shows stands beside it as text too: no colour is needed to read the page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from math import exp, log
from typing import Final

from cli.report import units
from cli.report.markup import Markup, element
from store.critical_path import CriticalPath, Stop
from store.report_figures import Bucket, Durations, StepTimes, VersionReport

_BARS: Final = 48
_MERGES: Final = (1, 2, 3, 4, 6, 8, 12, 24, 48, 96)
_NARROWEST: Final = 0.16
_RIGHT_HALF: Final = 60
_TICKS: Final = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800),
    *(3600, 7200, 21600, 43200, 86400, 172800, 432000, 864000, 2592000, 7776000, 31536000),
)
_ORDER: Final = (
    *("completed", "recovered", "running", "waiting", "compensating", "compensated", "cancelled"),
    *("timed-out", "rollback-incomplete", "failed"),
)
PARTS: Final = (
    ("queueing", "queueing", "waiting for a worker"),
    ("running", "running", "the attempt that counted"),
    ("retrying", "retrying", "earlier attempts and the pauses between them"),
    ("people", "people", "waiting for a decision"),
    ("events", "events", "waiting for an event, a signal or a timer"),
    ("handover", "hand-over", "between the engine, Temporal and the workers"),
)


def outcomes(version: VersionReport) -> Markup:
    """Return a bar with a part for each status, and what the parts are."""
    known = {status: place for place, status in enumerate(_ORDER)}
    ordered = sorted(version.outcomes.items(), key=lambda item: (known.get(item[0], len(known)), item[0]))
    classes = {status: f"s-{status if status in known else 'other'}" for status in version.outcomes}
    bar = [_part(classes[status], runs / version.runs) for status, runs in ordered]
    legend = [
        _legend(classes[status], status, f"{units.count(runs)} · {units.share(runs / version.runs)}")
        for status, runs in ordered
    ]
    return element("div", element("div", bar, class_="bar tall"), element("ul", legend, class_="legend"))


def durations(times: Durations) -> Markup:
    """Return the histogram on a logarithmic axis, with the percentiles above it."""
    bars = _merged(times.histogram)
    low, high = bars[0].lower, bars[-1].upper
    most = max(bar.runs for bar in bars)

    def place(seconds: float) -> float:
        return min(max(log(max(seconds, low) / low) / log(high / low), 0.0), 1.0) * 100

    rects = [
        element(
            "rect",
            element("title", f"{units.length(bar.lower)} to {units.length(bar.upper)}: {units.count(bar.runs)} runs"),
            x=place(bar.lower) + 0.15,
            y=100 - max(bar.runs / most * 100, 1.0),
            width=max(place(bar.upper) - place(bar.lower) - 0.3, 0.4),
            height=max(bar.runs / most * 100, 1.0),
        )
        for bar in bars
    ]
    picture = element("svg", rects, viewBox="0 0 100 100", preserveAspectRatio="none", aria_hidden="true")
    marks = [_mark(name, value, place(value)) for name, value in _percentiles(times)]
    ticks = [_tick(seconds, place(seconds)) for seconds in _ticks(low, high)]
    return element(
        "div",
        element("div", marks, class_="marks"),
        element("div", picture, class_="plot"),
        element("div", ticks, class_="ticks"),
        class_="histogram",
    )


def step_rows(steps: Sequence[StepTimes]) -> Markup:
    """Return a line for each step: what its time is made of."""
    return element("div", map(_step, steps), class_="rows")


def parts_legend(steps: Sequence[StepTimes]) -> Markup:
    """Return what the colours of the parts are, of those that occur."""
    present = [part for part in PARTS if any(getattr(step, part[0]) > 0 for step in steps)]
    return element("ul", (_legend(f"p-{key}", name, about) for key, name, about in present), class_="legend")


def critical_path(path: CriticalPath) -> Markup:
    """Return the steps on the critical path in their order, the bottleneck marked."""
    most = max((stop.share for stop in path.stops), default=0.0) or 1.0
    between = path.between / path.seconds if path.seconds else 0.0
    lines = [_stop(stop, most, path, stop is path.bottleneck) for stop in path.stops]
    if between > 0:
        lines.append(_line("between steps", "hand-over", between, between / most, "p-handover"))
    return element("ol", lines, class_="rows path")


def _stop(stop: Stop, most: float, path: CriticalPath, is_bottleneck: bool) -> Markup:
    name = f"{stop.step} (undoing)" if stop.is_compensation else stop.step
    about = f"on {units.share(stop.runs / path.runs)} of runs, longest on {units.share(stop.led / path.runs)}"
    colour = "p-bottleneck" if is_bottleneck else "p-path"
    return _line(name, about, stop.share, stop.share / most, colour, badge="bottleneck" if is_bottleneck else None)


def _line(name: str, about: str, share: float, width: float, colour: str, badge: str | None = None) -> Markup:
    label = element(
        "div",
        element("span", name, class_="what"),
        element("span", badge, class_="badge") if badge else None,
        element("small", about),
        class_="label",
    )
    bar = element("div", _part(colour, width), class_="bar")
    return element("li", label, bar, element("div", units.share(share), class_="figure"), class_="row")


def _step(step: StepTimes) -> Markup:
    parts = [(key, name, getattr(step, key)) for key, name, _ in PARTS]
    present = [part for part in parts if part[2] > 0]
    whole = sum(value for _, _, value in present)
    retries = f", {units.count(step.retries)} retried" if step.retries else ""
    label = element(
        "div",
        element("span", step.step, class_="what"),
        element("small", f"{step.kind}, {units.count(step.ended)} times{retries}"),
        class_="label",
    )
    bar = element("div", (_part(f"p-{key}", value / whole) for key, _, value in present), class_="bar")
    said = [f"{name} {units.length(value / step.ended)}" for _, name, value in present] if step.ended else []
    middle = element("div", bar, element("small", " · ".join(said) or "no time"), class_="middle")
    return element("div", label, middle, element("div", units.length(step.mean), class_="figure"), class_="row")


def _part(colour: str, width: float) -> Markup:
    return element("span", class_=f"part {colour}", style=f"flex-basis:{width * 100:.2f}%")


def _legend(colour: str, name: str, about: str) -> Markup:
    return element("li", element("i", class_=colour), element("b", name), element("small", about))


def _percentiles(times: Durations) -> tuple[tuple[str, float], ...]:
    return ("p50", times.p50), ("p95", times.p95), ("p99", times.p99)


def _mark(name: str, seconds: float, place: float) -> Markup:
    side = "left" if place > _RIGHT_HALF else "right"
    label = element("span", element("b", name), f" {units.length(seconds)}")
    return element("div", label, class_=f"mark {name} {side}", style=f"left:{place:.2f}%")


def _tick(seconds: float, place: float) -> Markup:
    return element("span", units.length(seconds), style=f"left:{place:.2f}%")


def _ticks(low: float, high: float) -> Iterator[float]:
    """Yield round lengths of time that stand far enough from each other and from the edges."""
    last = 0.0
    for seconds in _TICKS:
        place = log(seconds / low) / log(high / low)
        if low <= seconds <= high and _NARROWEST / 3 < place < 1 - _NARROWEST / 3 and place - last >= _NARROWEST:
            yield seconds
            last = place
    if not last:
        yield from (low, high)


def _merged(buckets: Sequence[Bucket]) -> list[Bucket]:
    """Put buckets together until there are few enough to see."""
    step = log(buckets[0].upper / buckets[0].lower)
    numbered = [(round(log(bucket.lower) / step), bucket) for bucket in buckets]
    width = numbered[-1][0] - numbered[0][0] + 1
    merge = next((merge for merge in _MERGES if width / merge <= _BARS), _MERGES[-1])
    found = []
    for number, group in groupby(numbered, key=lambda each: each[0] // merge):
        lower = exp(number * merge * step)
        upper = exp((number + 1) * merge * step)
        found.append(Bucket(lower, upper, sum(bucket.runs for _, bucket in group)))
    return found

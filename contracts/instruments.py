"""OpenTelemetry instruments on a meter that may not be there: without one they do nothing, and cost as much.

A process that exports nothing does not even import OpenTelemetry, which takes longer than the rest of a command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Meter, Observation

Labels: TypeAlias = dict[str, str]
Readings: TypeAlias = Iterable[tuple[float, Labels]]
Observe: TypeAlias = "Callable[[CallbackOptions], Iterable[Observation]]"


class Counter(Protocol):
    """Counts what happens."""

    def add(self, amount: int, attributes: Labels) -> None:
        """Add to the count with these labels; zero makes it known."""


class Histogram(Protocol):
    """Sorts what it is given into classes."""

    def record(self, amount: float, attributes: Labels) -> None:
        """Record one value with these labels."""


class _Silent:
    def add(self, amount: int, attributes: Labels) -> None:
        pass

    def record(self, amount: float, attributes: Labels) -> None:
        pass


def counter(meter: Meter | None, name: str, unit: str, what: str) -> Counter:
    """Return a counter; `what` describes it to people."""
    return _Silent() if meter is None else meter.create_counter(name, unit, what)


def histogram(meter: Meter | None, name: str, what: str, bounds: Sequence[float]) -> Histogram:
    """Return a histogram of seconds, whose classes end at `bounds`."""
    if meter is None:
        return _Silent()
    return meter.create_histogram(name, "s", what, explicit_bucket_boundaries_advisory=bounds)


def observing(read: Callable[[], Readings]) -> Observe:
    """Return what a gauge calls whenever somebody scrapes; `read` must answer at once, from any thread."""

    def observe(_: CallbackOptions) -> Iterable[Observation]:
        from opentelemetry.metrics import Observation  # noqa: PLC0415  # only who measures pays for it

        return [Observation(value, labels) for value, labels in read()]

    return observe

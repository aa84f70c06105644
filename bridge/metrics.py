"""What the bridge counts and shows about itself, as OpenTelemetry instruments.

The meter is passed in, so nothing here is global, and with none all methods do nothing and OpenTelemetry is not even
imported. Counters that alerts look at begin at zero: a counter that first appears with its first event has no
increase that Prometheus could see. Gauges are read from another thread whenever somebody scrapes, so what is given to
`watch_...` must answer at once from memory; what is not known now (None) is not shown. `bridge.depths` and
`bridge.figures` keep such values for what only a service knows.

Names are OpenTelemetry's; Prometheus shows `saga.events.lag` in seconds as `saga_events_lag_seconds`, and a counter
with `_total`. They are a contract with deploy/alerts.yaml and with dashboards: a test compares both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from bridge.breaker import BreakerState
from bridge.depths import QueueDepth
from contracts.instruments import Readings, counter, histogram, observing

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter

METER: Final = "sagawright.bridge"
"""The instrumentation scope; whoever makes the meter uses this name."""

MOST_EVENT_TYPES: Final = 200
OTHER: Final = "other"
_MOST_CODES = 100
_CODE = re.compile(r"[a-z][a-z0-9-]{0,40}")
OUTCOMES: Final = (
    "dispatched",
    "unrouted",
    "dead-lettered",
    "duplicate",
    "conflict",
    "expired",
    "held",
    "delayed",
)
PUBLISH_FAILURES: Final = ("unreachable", "unconfirmed", "unroutable", "refused")

_BREAKER: Final[dict[BreakerState, int]] = {"closed": 0, "half-open": 1, "open": 2}
_DURATION_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)


class Metrics:
    """The instruments of one bridge, publisher or both; made once for each process that exports.

    Attributes:
        measures: Whether anybody reads this; if not, what is only measured need not be asked for.
        meter: What it measures on, for others of the same process; None = nothing.
    """

    def __init__(self, meter: Meter | None = None) -> None:
        """Make the instruments on `meter`; None = measure nothing."""
        self.measures, self.meter = meter is not None, meter
        self._types: set[str] = set()
        self._codes: set[str] = set()
        self._gauges = _Gauges(meter)
        self._published = counter(meter, "saga.events.published", "{event}", "Events that the broker has confirmed.")
        self._failures = counter(meter, "saga.publish.failures", "{event}", "Publishes that were not confirmed.")
        self._consumed = counter(meter, "saga.events.consumed", "{event}", "Deliveries that came into hand.")
        self._handled = counter(meter, "saga.events.handled", "{event}", "Events by what became of them.")
        self._conflicts = counter(
            meter, "saga.events.conflicts", "{event}", "Events with the id of another event and another content."
        )
        self._unknown_replays = counter(
            meter,
            "saga.events.unknown_replays",
            "{event}",
            "Events that claim to be of a replay that is not on record.",
        )
        self._letters = counter(meter, "saga.dead_letters", "{event}", "Events that were dead-lettered.")
        self._internal = counter(
            meter, "saga.internal_errors", "{error}", "Tries that failed by an error of ours, not of the event."
        )
        self._duration = histogram(
            meter,
            "saga.dispatch.duration",
            "From an event's publication until Temporal has accepted it.",
            _DURATION_BOUNDS,
        )
        self._begin_at_zero()

    def published(self, event_type: str) -> None:
        """Count an event that the broker has confirmed."""
        self._published.add(1, {"event_type": self._bounded(event_type)})

    def publish_failed(self, why: str) -> None:
        """Count a publish that was not confirmed; `why` is one of `PUBLISH_FAILURES`."""
        self._failures.add(1, {"reason": why if why in PUBLISH_FAILURES else OTHER})

    def consumed(self, event_type: str | None) -> None:
        """Count a delivery that came into hand; None where it is no event."""
        self._consumed.add(1, {"event_type": self._bounded(event_type)})

    def handled(self, event_type: str | None, outcome: str) -> None:
        """Count what became of an event; `outcome` is one of `OUTCOMES`."""
        word = outcome if outcome in OUTCOMES else OTHER
        self._handled.add(1, {"event_type": self._bounded(event_type), "outcome": word})
        if word == "conflict":
            self._conflicts.add(1, {})

    def replay_refused(self) -> None:
        """Count an event that claims to be of a replay that is not on record."""
        self._unknown_replays.add(1, {})

    def dead_lettered(self, code: str) -> None:
        """Count a dead letter by its error code."""
        self._letters.add(1, {"code": code if _CODE.fullmatch(code) and self._codes_fit(code) else OTHER})

    def _codes_fit(self, code: str) -> bool:
        """A code is a header, which anybody may set: an endless number of them would be endless time series."""
        if len(self._codes) < _MOST_CODES:
            self._codes.add(code)
        return code in self._codes

    def internal_error(self, code: str) -> None:
        """Count a try that failed by an error of ours: by its code, or `bug`."""
        self._internal.add(1, {"code": code if _CODE.fullmatch(code) else OTHER})

    def dispatched_after(self, waited: timedelta) -> None:
        """Record how long it took from an event's publication until Temporal had accepted it.

        A producer's clock may be ahead of ours, so what is negative counts as nothing.
        """
        self._duration.record(max(waited.total_seconds(), 0.0), {})

    def watch_breaker(self, service: str, read: Callable[[], BreakerState]) -> None:
        """Show a breaker's state; `service` is temporal, postgresql or rabbitmq."""
        self._gauges.breakers[service] = read

    def watch_lag(self, read: Callable[[], timedelta | None]) -> None:
        """Show the age of the oldest event without an outcome, zero where there is none; None = not known now."""
        self._gauges.watch("saga.events.lag", lambda: _seconds(read()))

    def watch_in_hand(self, read: Callable[[], int]) -> None:
        """Show how many deliveries are in hand, unacknowledged."""
        self._gauges.watch("saga.events.in_hand", read)

    def watch_open_dead_letters(self, read: Callable[[], int | None]) -> None:
        """Show how many dead letters nobody has dealt with; None = not known now."""
        self._gauges.watch("saga.dead_letters.open", read)

    def watch_outbox(self, depth: Callable[[], int | None], age: Callable[[], timedelta | None]) -> None:
        """Show how many events wait in the outbox and how long the oldest does; None = not known now."""
        self._gauges.watch("saga.outbox.depth", depth)
        self._gauges.watch("saga.outbox.age", lambda: _seconds(age()))

    def watch_bridges(self, read: Callable[[], int | None]) -> None:
        """Show how many bridges are alive by their signs of life."""
        self._gauges.watch("saga.bridges.alive", read)

    def watch_queues(self, read: Callable[[], Iterable[QueueDepth]]) -> None:
        """Show the depth and the consumers of queues."""
        self._gauges.queues.append(read)

    def _begin_at_zero(self) -> None:
        self._conflicts.add(0, {})
        self._internal.add(0, {"code": "bug"})
        self._unknown_replays.add(0, {})
        for why in PUBLISH_FAILURES:
            self._failures.add(0, {"reason": why})

    def _bounded(self, event_type: str | None) -> str:
        """Anybody may invent types, and each is a time series for ever: only the first 200 keep their name."""
        if event_type is None:
            return OTHER
        if event_type not in self._types:
            if len(self._types) >= MOST_EVENT_TYPES:
                return OTHER
            self._types.add(event_type)
        return event_type


class _Gauges:
    """What is read when somebody scrapes."""

    def __init__(self, meter: Meter | None) -> None:
        self.breakers: dict[str, Callable[[], BreakerState]] = {}
        self.queues: list[Callable[[], Iterable[QueueDepth]]] = []
        self._single: dict[str, Callable[[], float | None]] = {}
        if meter is not None:
            self._create(meter)

    def watch(self, name: str, read: Callable[[], float | None]) -> None:
        self._single[name] = read

    def _create(self, meter: Meter) -> None:
        for name, unit, what in _SINGLE:
            meter.create_observable_gauge(name, [observing(partial(self._value, name))], unit, what)
        for name, unit, what, read in (
            ("saga.breaker.state", "", "0 closed, 1 half open, 2 open.", self._states),
            ("saga.queue.depth", "{message}", "Messages that are ready in a queue.", self._depths),
            ("saga.queue.consumers", "{consumer}", "Consumers of a queue.", self._consumers),
        ):
            meter.create_observable_gauge(name, [observing(read)], unit, what)

    def _value(self, name: str) -> Readings:
        read = self._single.get(name)
        value = None if read is None else read()
        return () if value is None else [(value, {})]

    def _states(self) -> Readings:
        return [(_BREAKER[read()], {"service": service}) for service, read in list(self.breakers.items())]

    def _depths(self) -> Readings:
        return [(queue.messages, {"queue": queue.name}) for read in self.queues for queue in read()]

    def _consumers(self) -> Readings:
        return [(queue.consumers, {"queue": queue.name}) for read in self.queues for queue in read()]


_SINGLE: Final = (
    ("saga.events.lag", "s", "Age of the oldest event that has no outcome yet."),
    ("saga.events.in_hand", "{event}", "Deliveries in hand, not yet acknowledged."),
    ("saga.dead_letters.open", "{event}", "Dead letters that nobody has dealt with."),
    ("saga.outbox.depth", "{event}", "Events that wait to be published."),
    ("saga.outbox.age", "s", "How long the oldest event in the outbox has waited."),
    ("saga.bridges.alive", "{bridge}", "Bridges that gave a sign of life lately."),
)


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else max(span.total_seconds(), 0.0)

"""The bridge's instruments, read by a reader in memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader, NumberDataPoint

from bridge.breaker import Breaker, BreakerState
from bridge.depths import QueueDepth
from bridge.metrics import METER, MOST_EVENT_TYPES, OUTCOMES, PUBLISH_FAILURES, Metrics

Point = NumberDataPoint | HistogramDataPoint


class Scrape:
    """A provider of the test's own, and what a reader finds there."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self.provider = MeterProvider([self._reader], shutdown_on_exit=False)
        self.metrics = Metrics(self.provider.get_meter(METER))

    def points(self, name: str) -> list[Point]:
        """Return the points of one instrument now."""
        data = self._reader.get_metrics_data()
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics] if data else []
        found = [metric for scope in scopes for metric in scope.metrics if metric.name == name]
        points = [point for metric in found for point in metric.data.data_points]
        return [point for point in points if isinstance(point, NumberDataPoint | HistogramDataPoint)]

    def values(self, name: str, label: str | None = None) -> dict[str, float]:
        """Return the numbers by one label, added up over the others."""
        values: dict[str, float] = {}
        for point in self.points(name):
            assert isinstance(point, NumberDataPoint)
            key = str((point.attributes or {})[label]) if label else ""
            values[key] = values.get(key, 0) + point.value
        return values


@pytest.fixture
def scrape() -> Iterator[Scrape]:
    """An empty one."""
    made = Scrape()
    yield made
    made.provider.shutdown()


def test_events_are_counted_by_type_and_outcome(scrape: Scrape) -> None:
    """Each outcome has its own count, an unknown word is not a new series, and a message that is no event counts."""
    for outcome in (*OUTCOMES, "dispatched", "surprised"):
        scrape.metrics.handled("order.placed", outcome)
    scrape.metrics.handled(None, "dead-lettered")
    by_outcome = scrape.values("saga.events.handled", "outcome")
    assert by_outcome == dict.fromkeys(OUTCOMES, 1) | {"dispatched": 2, "dead-lettered": 2, "other": 1}
    assert scrape.values("saga.events.handled", "event_type") == {"order.placed": len(OUTCOMES) + 2, "other": 1}


def test_events_published_and_consumed_are_counted_by_type(scrape: Scrape) -> None:
    """The two ends of the bus."""
    scrape.metrics.published("a.b")
    scrape.metrics.consumed("a.b")
    scrape.metrics.consumed(None)
    assert scrape.values("saga.events.published", "event_type") == {"a.b": 1}
    assert scrape.values("saga.events.consumed", "event_type") == {"a.b": 1, "other": 1}


def test_event_types_are_bounded(scrape: Scrape) -> None:
    """A producer that makes a new type for each event gets one series for the rest, and known types keep theirs."""
    for number in range(MOST_EVENT_TYPES + 50):
        scrape.metrics.consumed(f"type.{number}")
    scrape.metrics.published("type.0")
    scrape.metrics.published("late")
    assert len(scrape.values("saga.events.consumed", "event_type")) == MOST_EVENT_TYPES + 1
    assert scrape.values("saga.events.consumed", "event_type")["other"] == 50
    assert scrape.values("saga.events.published", "event_type") == {"type.0": 1, "other": 1}


def test_counters_of_alerts_begin_at_zero(scrape: Scrape) -> None:
    """Else the first conflict, or the first failure, would not be an increase."""
    assert scrape.values("saga.events.conflicts") == {"": 0}
    assert scrape.values("saga.publish.failures", "reason") == dict.fromkeys(PUBLISH_FAILURES, 0)
    scrape.metrics.handled("a", "conflict")
    scrape.metrics.publish_failed("unroutable")
    scrape.metrics.publish_failed("gremlins")
    assert scrape.values("saga.events.conflicts") == {"": 1}
    assert scrape.values("saga.publish.failures", "reason") == dict.fromkeys(PUBLISH_FAILURES, 0) | {
        "unroutable": 1,
        "other": 1,
    }


def test_dead_letters_are_counted_by_code(scrape: Scrape) -> None:
    """The code is that of the error."""
    scrape.metrics.dead_lettered("malformed-event")
    scrape.metrics.dead_lettered("malformed-event")
    assert scrape.values("saga.dead_letters", "code") == {"malformed-event": 2}


def test_dispatch_duration_is_a_histogram(scrape: Scrape) -> None:
    """In seconds; a producer whose clock is ahead does not make it negative."""
    scrape.metrics.dispatched_after(timedelta(milliseconds=80))
    scrape.metrics.dispatched_after(timedelta(seconds=-5))
    [point] = scrape.points("saga.dispatch.duration")
    assert isinstance(point, HistogramDataPoint)
    assert (point.count, point.sum, point.min) == (2, 0.08, 0)


@pytest.mark.parametrize(("word", "number"), [("closed", 0), ("half-open", 1), ("open", 2)])
def test_breaker_state_is_a_number_for_each_service(scrape: Scrape, word: BreakerState, number: int) -> None:
    """Read at the moment of the scrape."""
    scrape.metrics.watch_breaker("temporal", lambda: word)
    scrape.metrics.watch_breaker("rabbitmq", lambda: "closed")
    assert scrape.values("saga.breaker.state", "service") == {"temporal": number, "rabbitmq": 0}


def test_breaker_itself_can_be_watched(scrape: Scrape) -> None:
    """A breaker that has seen no failure is closed."""
    breaker = Breaker("Temporal", timedelta(seconds=1))
    scrape.metrics.watch_breaker("temporal", lambda: breaker.state)
    assert scrape.values("saga.breaker.state", "service") == {"temporal": 0}


def test_gauges_show_what_is_known_and_nothing_else(scrape: Scrape) -> None:
    """An old number would hide an outage."""
    known: dict[str, timedelta | None] = {"lag": timedelta(seconds=90)}
    scrape.metrics.watch_lag(lambda: known["lag"])
    scrape.metrics.watch_outbox(lambda: None, lambda: None)
    assert scrape.values("saga.events.lag") == {"": 90}
    assert scrape.points("saga.outbox.age") == scrape.points("saga.bridges.alive") == []
    known["lag"] = None
    assert scrape.points("saga.events.lag") == []


def test_gauges_of_the_store_are_numbers(scrape: Scrape) -> None:
    """Dead letters, outbox, bridges and deliveries in hand."""
    scrape.metrics.watch_open_dead_letters(lambda: 3)
    scrape.metrics.watch_outbox(lambda: 4, lambda: timedelta(seconds=5))
    scrape.metrics.watch_bridges(lambda: 2)
    scrape.metrics.watch_in_hand(lambda: 7)
    names = ("saga.dead_letters.open", "saga.outbox.depth", "saga.outbox.age", "saga.bridges.alive")
    assert [scrape.values(name)[""] for name in (*names, "saga.events.in_hand")] == [3, 4, 5, 2, 7]


def test_queues_are_told_by_name(scrape: Scrape) -> None:
    """Depth and consumers, of several samplers."""
    scrape.metrics.watch_queues(lambda: [QueueDepth("saga.high.0", 12, 1)])
    scrape.metrics.watch_queues(lambda: [QueueDepth("saga.low.0", 0, 0)])
    assert scrape.values("saga.queue.depth", "queue") == {"saga.high.0": 12, "saga.low.0": 0}
    assert scrape.values("saga.queue.consumers", "queue") == {"saga.high.0": 1, "saga.low.0": 0}


def test_two_bridges_in_a_process_do_not_share_numbers(scrape: Scrape) -> None:
    """Nothing is global."""
    other = Scrape()
    other.metrics.dead_lettered("x")
    assert scrape.points("saga.dead_letters") == []
    other.provider.shutdown()


@pytest.mark.integration
def test_metrics_cost_nothing_where_nobody_measures() -> None:
    """All methods do nothing, and OpenTelemetry is not imported."""
    script = """
import sys
from datetime import timedelta
from bridge.metrics import Metrics
metrics = Metrics()
metrics.published("a"), metrics.consumed("a"), metrics.handled("a", "conflict"), metrics.dead_lettered("x")
metrics.publish_failed("unroutable"), metrics.dispatched_after(timedelta(seconds=1))
metrics.watch_breaker("temporal", lambda: "open"), metrics.watch_lag(lambda: None), metrics.watch_queues(list)
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
    finished = subprocess.run(  # noqa: S603  # our own script
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert finished.stdout.strip() == "[]"

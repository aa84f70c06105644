"""What a worker counts and shows about runs, as OpenTelemetry instruments; `bridge/metrics.py` is that of events.

The meter is passed in, so nothing here is global, and with none all methods do nothing. What is counted comes from the
stream of new states (`workers.changes`): a run is counted by the worker that carries it out, so sums over workers are
right. What is shown (gauges) is read from PostgreSQL or Temporal and the same at every worker, so `max` is right.

Labels are bounded: the first definitions, versions and steps that a process meets keep their names, the others are
`other`. Counters begin at zero when a version is first met: one that first appears with its first event has no increase
that Prometheus could see. Names are a contract with deploy/alerts.yaml and deploy/grafana-dashboard.json: a test
compares them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from contracts.instruments import Labels, Readings, counter, histogram, observing
from workers.changes import Change, MessagesRefused, RunEnded, RunStarted, StepEnded
from workflows.engine.state import State

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter

MOST_VERSIONS: Final = 200
MOST_STEPS: Final = 500
OTHER: Final = "other"
ENDS: Final = ("completed", "recovered", "failed", "compensated", "rollback-incomplete", "cancelled", "timed-out")
MISSES: Final = ("catch-up-missed", "overlap-skipped")

_DURATION_BOUNDS: Final = (0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14_400, 86_400, 604_800)

Read: TypeAlias = Callable[[], Readings]
Count: TypeAlias = Callable[[], int]


class RunMetrics:
    """The instruments of one worker.

    Attributes:
        measures: Whether anybody reads this; if not, what is only measured need not be asked for.
    """

    def __init__(self, meter: Meter | None = None) -> None:
        """Make the instruments on `meter`; None = measure nothing."""
        self.measures = meter is not None
        self._versions: set[tuple[str, ...]] = set()
        self._steps: set[tuple[str, ...]] = set()
        self._gauges: dict[str, Read] = {}
        self._started = counter(meter, "saga.runs.started", "{run}", "Runs that began.")
        self._ended = counter(meter, "saga.runs.ended", "{run}", "Runs that ended, by how.")
        self._run_duration = histogram(meter, "saga.run.duration", "From a run's start to its end.", _DURATION_BOUNDS)
        self._steps_ended = counter(meter, "saga.steps.ended", "{step}", "Steps that ended, by how.")
        self._step_duration = histogram(
            meter, "saga.step.duration", "From a step's start to its end, retries included.", _DURATION_BOUNDS
        )
        self._refused = counter(
            meter, "saga.messages.refused", "{message}", "Messages to runs that could not be taken or kept."
        )
        self._breaches = counter(
            meter, "saga.sla.breaches", "{run}", "Runs that took longer than their definition says."
        )
        self._dropped = counter(meter, "saga.lifecycle.dropped", "{event}", "Lifecycle events that were given up.")
        self._written = counter(meter, "saga.lifecycle.written", "{event}", "Lifecycle events that went to the outbox.")
        self._dropped.add(0, {})
        if meter is not None:
            self._show(meter)

    def know(self, definition: str, version: str) -> None:
        """Let the counts of a version begin at zero, unless they have begun."""
        self._labels(definition, version)

    def changed(self, sequence: int, state: State, change: Change) -> None:
        """Count a change of a run; a `workers.changes.Taker`."""
        labels = self._labels(state.definition, state.version)
        match change:
            case RunStarted():
                self._started.add(1, labels)
            case RunEnded(status=status, took=took):
                self._ended.add(1, labels | {"status": status})
                self._run_duration.record(took.total_seconds(), labels | {"status": status})
            case StepEnded(status=status, took=took):
                named = labels | {"step": self._step(labels, change.step)}
                self._steps_ended.add(1, named | {"outcome": status})
                self._step_duration.record(took.total_seconds(), named)
            case MessagesRefused(number=number):
                self._refused.add(number, labels)
            case _:
                pass

    def breached(self, definition: str, version: str) -> None:
        """Count a run that took longer than it may."""
        self._breaches.add(1, self._labels(definition, version))

    def lifecycle_written(self, events: int) -> None:
        """Count lifecycle events that are safe in the outbox."""
        self._written.add(events, {})

    def lifecycle_dropped(self, events: int) -> None:
        """Count lifecycle events that were given up: the queue was full, or they cannot be written."""
        self._dropped.add(events, {})

    def watch_open_runs(self, read: Read) -> None:
        """Show open runs, with the labels `definition`, `version` and `status`."""
        self._gauges["saga.runs.open"] = read

    def watch_approvals(self, waiting: Read, oldest: Read) -> None:
        """Show approvals that wait, by `definition` and `age`, and how long the oldest does, by `definition`."""
        self._gauges["saga.approvals.waiting"] = waiting
        self._gauges["saga.approvals.oldest"] = oldest

    def watch_stuck(self, read: Read) -> None:
        """Show runs that are stuck, by `cause`."""
        self._gauges["saga.runs.stuck"] = read

    def watch_schedule_misses(self, read: Read) -> None:
        """Show starts that schedules missed since they exist, by `definition`, `schedule` and `reason`."""
        self._gauges["saga.schedule.misses"] = read

    def _show(self, meter: Meter) -> None:
        for name, unit, what in _GAUGES:
            meter.create_observable_gauge(name, [observing(self._reading(name))], unit, what)
        meter.create_observable_counter(
            "saga.schedule.misses",
            [observing(self._reading("saga.schedule.misses"))],
            "{run}",
            "Starts that schedules missed.",
        )

    def _reading(self, name: str) -> Read:
        return lambda: self._gauges[name]() if name in self._gauges else ()

    def _labels(self, definition: str, version: str) -> Labels:
        if (definition, version) in self._versions:
            return {"definition": definition, "version": version}
        fits = _fits(self._versions, (definition, version), MOST_VERSIONS)
        labels = {"definition": definition, "version": version} if fits else {"definition": OTHER, "version": OTHER}
        self._started.add(0, labels)
        self._breaches.add(0, labels)
        self._refused.add(0, labels)
        for status in ENDS:
            self._ended.add(0, labels | {"status": status})
        return labels

    def _step(self, labels: Labels, step: str) -> str:
        return step if _fits(self._steps, (labels["definition"], labels["version"], step), MOST_STEPS) else OTHER


def show_projection(meter: Meter | None, written: Count, dropped: Count, waiting: Count) -> None:
    """Show on `meter` how the projection of runs keeps up: entries written and dropped so far, and those that wait."""
    if meter is None:
        return
    from opentelemetry.metrics import Observation  # noqa: PLC0415  # only who measures pays for it

    meter.create_observable_counter(
        "saga.projection.written", [lambda _: [Observation(written())]], "{entry}", "Changes written to PostgreSQL."
    )
    meter.create_observable_counter(
        "saga.projection.dropped", [lambda _: [Observation(dropped())]], "{entry}", "Changes left to mending."
    )
    meter.create_observable_gauge(
        "saga.projection.waiting", [lambda _: [Observation(waiting())]], "{entry}", "Changes that wait to be written."
    )


_GAUGES: Final = (
    ("saga.runs.open", "{run}", "Runs that have not ended."),
    ("saga.approvals.waiting", "{approval}", "Approvals that wait for people, by how long."),
    ("saga.approvals.oldest", "s", "How long the approval that waits longest has waited."),
    ("saga.runs.stuck", "{run}", "Runs that do not get on, by cause."),
)


def _fits(known: set[tuple[str, ...]], name: tuple[str, ...], most: int) -> bool:
    """Anybody may deploy definitions, and each name is a time series for ever."""
    if name not in known:
        if len(known) >= most:
            return False
        known.add(name)
    return True

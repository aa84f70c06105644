"""Figures for tests of how a report looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from activities.registry import catalog
from store.critical_path import CriticalPath, Stop
from store.report_figures import Bucket, Durations, Failure, Report, Selection, StepTimes, VersionReport
from workflows.language.compiler import compile_sources
from workflows.language.plan import Plan

MADE = datetime(2030, 1, 31, 8, tzinfo=UTC)

STEP = StepTimes(
    step="charge",
    kind="action",
    is_compensation=False,
    is_block=False,
    ended=100,
    total=200.0,
    squares=500.0,
    longest=9.0,
    queueing=20.0,
    running=120.0,
    retrying=40.0,
    people=0.0,
    events=0.0,
    retries=7,
)
DURATIONS = Durations(95, 2.0, 1.0, 2.0, 4.0, 5.0, (Bucket(1, 2, 45), Bucket(2, 4, 45), Bucket(4, 8, 5)))
PATH = CriticalPath(90, 180.0, 30.0, (Stop("charge", False, 90, 90, 150.0, 150 / 180),))
FAILURE = Failure("charge", False, "declined", 5, 4, "order/A1", "run-1", "No money.")
VERSION = VersionReport(
    definition="order",
    version="1.0.0",
    outcomes={"completed": 90, "compensated": 5, "waiting": 5},
    ended=95,
    succeeded=90,
    actions=993,
    durations=DURATIONS,
    steps=(STEP, replace(STEP, kind="compensation", is_compensation=True, ended=5, total=1.0)),
    failures=(FAILURE,),
    path=PATH,
)


def report_of(*versions: VersionReport, definition: str | None = None) -> Report:
    """Return a report of these versions."""
    return Report(Selection(MADE - timedelta(days=7), definition), MADE, versions, ())


def plan_of(text: str) -> Plan:
    """Compile a definition and return its plan."""
    library = compile_sources({"definition.yaml": text}, catalog()).library
    assert library is not None
    return library.all()[0].plan


def quick(durations: Sequence[float]) -> Durations:
    """Return durations of which each has a bucket of its own."""
    ordered = sorted(durations)
    middle = ordered[len(ordered) // 2]
    buckets = tuple(Bucket(each, each * 1.05, ordered.count(each)) for each in sorted(set(ordered)))
    return Durations(len(ordered), middle, 0.1, middle, ordered[-2], ordered[-1], buckets)

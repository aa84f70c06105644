"""What a worker counts of its runs, on the real server."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import timedelta

import pytest
from temporalio.client import Client, WorkflowFailureError

from tests.workers.scraping import Scrape
from tests.workflows.temporal.hosting import hosting
from tests.workflows.temporal.plans import act, chain, foreach, library, plan, receive, undo
from workers.changes import ChangeSink, RunEnded, RunStarted, StepEnded
from workers.metrics import ENDS, MOST_STEPS, MOST_VERSIONS, OTHER, RunMetrics
from workflows.engine.advance import new_state

GOOD = plan("good", *chain(foreach("each", [1, 2, 3], "item"), act("last")), act("item"))
BAD = plan("bad", *chain(act("a", undo=undo()), act("b", "refuse")), version="2.0.0")
WAITING = plan("waiting", *chain(act("a"), receive("b", "go"), act("c")), signals=("go",))


async def test_runs_and_steps_are_counted_by_version_and_outcome(client: Client, scrape: Scrape) -> None:
    """Each run once at its start and once at its end, each step by its id."""
    async with hosting(client, library(GOOD, BAD), sink=ChangeSink(scrape.metrics.changed)) as host:
        await asyncio.gather(*(host.execute("good", {}) for _ in range(3)))
        with pytest.raises(WorkflowFailureError):
            await host.execute("bad", {})
    which = ("definition", "version")
    assert scrape.values("saga.runs.started", *which) == {("good", "1.0.0"): 3, ("bad", "2.0.0"): 1}
    ended = {("good", "1.0.0", "completed"): 3, ("bad", "2.0.0", "compensated"): 1}
    counted = scrape.values("saga.runs.ended", *which, "status")
    assert {labels: count for labels, count in counted.items() if count} == ended
    assert scrape.values("saga.run.duration", *which, "status") == ended
    steps = {
        ("each", "completed"): 3,
        ("item", "completed"): 9,
        ("last", "completed"): 3,
        ("a", "completed"): 1,
        ("b", "failed"): 1,
        ("a/compensate", "completed"): 1,
    }
    assert scrape.values("saga.steps.ended", "step", "outcome") == steps
    assert sum(scrape.values("saga.step.duration").values()) == sum(steps.values())
    assert 0 < scrape.total("saga.run.duration") < 120


async def test_run_that_is_replayed_is_counted_once(client: Client, scrape: Scrape) -> None:
    """A worker that keeps no run in memory replays it at each task."""
    async with hosting(client, library(WAITING), sink=ChangeSink(scrape.metrics.changed), cached=0) as host:
        handle = await host.start("waiting", {})
        await handle.query("state")
        await handle.signal("go")
        await handle.result()
    assert scrape.values("saga.runs.started") == {(): 1}
    assert scrape.values("saga.runs.ended") == {(): 1}
    assert scrape.values("saga.steps.ended", "step") == {("a",): 1, ("b",): 1, ("c",): 1}


async def test_run_that_goes_on_in_a_new_execution_is_one_run(client: Client, scrape: Scrape) -> None:
    """Continue-as-new starts and ends no run."""
    plans = library(plan("long", *chain(*(act(f"s{number}") for number in range(12)))))
    async with hosting(client, plans, sink=ChangeSink(scrape.metrics.changed), continue_after=20) as host:
        await host.execute("long", {})
    assert scrape.values("saga.runs.started") == scrape.values("saga.runs.ended") == {(): 1}
    assert sum(scrape.values("saga.steps.ended").values()) == 12


def test_counts_of_a_version_begin_at_zero(scrape: Scrape) -> None:
    """Or its first failure would be no increase."""
    scrape.metrics.know("p", "1.0.0")
    assert scrape.values("saga.runs.started", "definition", "version") == {("p", "1.0.0"): 0}
    assert scrape.values("saga.runs.ended", "status") == {(status,): 0 for status in ENDS}
    assert scrape.values("saga.sla.breaches") == {(): 0}


def test_names_are_bounded(scrape: Scrape) -> None:
    """Endless deployments get one series for the rest."""
    step = StepEnded("s", "completed", timedelta(0), "")
    for number in range(MOST_VERSIONS + 5):
        state = new_state(plan("p", act("s"), version=f"1.0.{number}"))
        scrape.metrics.changed(1, state, RunStarted())
    versions = scrape.values("saga.runs.started", "version")
    assert len(versions) == MOST_VERSIONS + 1
    assert versions[OTHER,] == 5
    for number in range(MOST_STEPS + 5):
        named = StepEnded(f"s{number}", "completed", timedelta(0), "")
        scrape.metrics.changed(1, new_state(plan("p", act("s"), version="1.0.0")), named)
    scrape.metrics.changed(1, new_state(plan("p", act("s"), version="1.0.0")), step)
    assert len(scrape.values("saga.steps.ended", "step")) == MOST_STEPS + 1


def test_gauges_show_what_is_read(scrape: Scrape) -> None:
    """With their labels; what nobody watches is not shown."""
    assert scrape.values("saga.runs.open") == {}
    scrape.metrics.watch_open_runs(lambda: [(3, {"definition": "d", "version": "1.0.0", "status": "waiting"})])
    scrape.metrics.watch_schedule_misses(
        lambda: [(2, {"definition": "d", "schedule": "s", "reason": "overlap-skipped"})]
    )
    assert scrape.values("saga.runs.open", "status") == {("waiting",): 3}
    assert scrape.values("saga.schedule.misses", "reason") == {("overlap-skipped",): 2}


@pytest.mark.integration
def test_without_a_meter_nothing_happens() -> None:
    """Each method may be called all the same, and OpenTelemetry is not loaded."""
    metrics = RunMetrics()
    assert not metrics.measures
    metrics.changed(1, new_state(plan("p", act("s"))), RunEnded("completed", timedelta(0)))
    metrics.breached("d", "1.0.0")
    metrics.watch_stuck(list)
    code = "import sys; from workers.metrics import RunMetrics; RunMetrics(); sys.exit('opentelemetry' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603  # our own

"""What a worker looks after: SLAs, figures and missed schedules, against the real servers."""

from __future__ import annotations

import asyncio
import json
import uuid
from datetime import timedelta
from functools import partial

import pytest
from structlog.testing import capture_logs
from temporalio.client import Client, ScheduleHandle

from contracts.errors import TemporaryError
from store.database import Database, open_database
from tests.store.run_rows import add_approval, add_run
from tests.support.waiting import PATIENCE_SECONDS, eventually
from tests.workers.postgres_proxy import postgres_proxy
from tests.workers.scraping import Scrape
from tests.workers.test_schedules import library_of
from tests.workflows.temporal.plans import act, plan
from workers.schedules import reconcile
from workers.watch import RunFigures, ScheduleMisses, SlaWatch, StuckWatch, repeating
from workflows.language.library import Library
from workflows.language.triggers import Definition, ScheduleTrigger
from workflows.language.watching import Sla

HOUR = timedelta(hours=1)
LIBRARY = Library.of([Definition(plan("order", act("a")), sla=Sla(3600.0)), Definition(plan("other", act("a")))])


async def envelopes(database: Database) -> list[dict[str, object]]:
    """Return what is in the outbox."""
    return [json.loads(row["envelope"]) for row in await database.fetch("select envelope from saga.outbox order by id")]


async def started_or_skipped(handle: ScheduleHandle, count: int) -> bool:
    """Tell whether a schedule has seen to so many starts."""
    info = (await handle.describe()).info
    return info.num_actions + info.num_actions_skipped_overlap == count


async def test_breach_is_told_once_whoever_looks(database: Database, scrape: Scrape) -> None:
    """By an event, a metric and the log; several workers look at the same time, and again."""
    await add_run(database, "late", started=HOUR * 2)
    await add_run(database, "ended-late", status="completed", started=HOUR * 3, ended=HOUR / 2)
    await add_run(database, "other", definition="other", started=HOUR * 9)
    watches = [SlaWatch(database, lambda: LIBRARY, scrape.metrics, "test") for _ in range(4)]
    with capture_logs() as logs:
        for _ in range(2):
            await asyncio.gather(*(watch.look() for watch in watches))
    told = await envelopes(database)
    assert [(each["event_type"], each["data"]["run_id"]) for each in told] == [  # type: ignore[index]  # JSON
        ("workflow.sla-breached", "ended-late"),
        ("workflow.sla-breached", "late"),
    ]
    assert scrape.values("saga.sla.breaches", "definition", "version") == {("order", "1.0.0"): 2}
    assert [log["run_id"] for log in logs if log["event"] == "sla_breached"] == ["ended-late", "late"]


async def test_breach_tells_how_long_it_took(database: Database, scrape: Scrape) -> None:
    """And for how long it might have."""
    await add_run(database, "late", started=HOUR * 2)
    await SlaWatch(database, lambda: LIBRARY, scrape.metrics, "test").look()
    [told] = await envelopes(database)
    data = told["data"]
    assert isinstance(data, dict)
    assert (data["max_duration_ms"], data["ended_at"], data["status"]) == (3_600_000, None, "running")
    assert data["duration_ms"] >= 7_200_000
    assert told["metadata"] == {"group_id": "late", "correlation_id": told["event_id"]}


async def test_definitions_without_sla_are_not_looked_at(scrape: Scrape) -> None:
    """Not even PostgreSQL is asked."""
    await SlaWatch(None, Library, scrape.metrics, "test").look()  # type: ignore[arg-type]  # it must not be used


async def test_figures_are_shown_while_the_database_answers(database: Database, scrape: Scrape) -> None:
    """Open runs by status, approvals by age, and the one that waits longest."""
    await add_run(database, "a")
    await add_run(database, "b", status="waiting")
    await add_approval(database, "b", "p", HOUR * 2)
    await add_approval(database, "b", "q", HOUR / 2)
    figures = RunFigures(database)
    figures.show_on(scrape.metrics)
    assert scrape.values("saga.runs.open") == {}
    await figures.sample()
    assert scrape.values("saga.runs.open", "definition", "status") == {("order", "running"): 1, ("order", "waiting"): 1}
    assert scrape.values("saga.approvals.waiting", "age") == {("under 1h",): 1, ("1h to 1d",): 1}
    assert 7200 <= scrape.values("saga.approvals.oldest", "definition")["order",] < 7500


async def test_figures_of_a_database_that_went_away_are_not_shown(postgres_url: str, scrape: Scrape) -> None:
    """Rather than old ones."""
    async with postgres_proxy(postgres_url) as (proxy, url), open_database(url) as database:
        await add_run(database, "a")
        figures = RunFigures(database)
        figures.show_on(scrape.metrics)
        await figures.sample()
        assert scrape.values("saga.runs.open") == {(): 1}
        proxy.cut()
        with pytest.raises(TemporaryError):
            await figures.run(asyncio.Event())
    assert scrape.values("saga.runs.open") == {}


async def test_skipped_starts_of_a_schedule_are_counted(client: Client, scrape: Scrape) -> None:
    """Temporal skips a start while the run before it is open, and counts that."""
    name = f"nightly-{uuid.uuid4().hex[:8]}"
    library = library_of(name, ScheduleTrigger("0 3 * * *", overlap="skip"))
    misses = ScheduleMisses(client, lambda: library)
    scrape.metrics.watch_schedule_misses(misses.readings)
    await misses.sample()
    assert scrape.values("saga.schedule.misses") == {}  # not deployed yet
    await reconcile(client, library, name)
    try:
        handle = client.get_schedule_handle(f"saga/{name}/1")
        await handle.trigger()
        for number in (1, 2):
            await eventually(partial(started_or_skipped, handle, number), 30)
            await handle.trigger()
        await eventually(partial(started_or_skipped, handle, 3), 30)
        await misses.sample()
        assert scrape.values("saga.schedule.misses", "definition", "schedule", "reason") == {
            (name, f"saga/{name}/1", "overlap-skipped"): 2,
            (name, f"saga/{name}/1", "catch-up-missed"): 0,
        }
    finally:
        await client.get_schedule_handle(f"saga/{name}/1").delete()


async def test_stuck_run_is_logged_once_and_counted_while_it_is(
    client: Client, database: Database, scrape: Scrape
) -> None:
    """Each look counts anew; the log says what is new."""
    await add_run(database, "late", started=HOUR * 2)
    watch = StuckWatch(client, database, lambda: LIBRARY)
    scrape.metrics.watch_stuck(watch.readings)
    assert scrape.values("saga.runs.stuck", "cause") == {}
    with capture_logs() as logs:
        for _ in range(2):
            await watch.look()
    late = [log for log in logs if log["event"] == "run_stuck" and log["workflow_id"] == "order/late"]
    assert [log["cause"] for log in late] == ["overdue"]
    assert "saga show order/late" in late[0]["cure"]
    assert scrape.values("saga.runs.stuck", "cause")["overdue",] == 1
    await database.fetch("update saga.runs set ended_at = now()")
    await watch.look()
    assert scrape.values("saga.runs.stuck", "cause")["overdue",] == 0


async def test_looking_ends_when_it_is_told_to() -> None:
    """It looks at once, and does not wait for its next turn."""
    stop, looks = asyncio.Event(), 0

    async def look() -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            stop.set()

    await asyncio.wait_for(repeating(look, timedelta(milliseconds=1), stop), PATIENCE_SECONDS)
    assert looks == 3

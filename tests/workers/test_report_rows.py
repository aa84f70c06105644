"""What workers write is what others read: runs that really went through a server, as reports and watches see them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from temporalio.client import Client

from store.database import Database
from store.report_figures import Selection
from store.reports import read_report
from tests.support.waiting import eventually
from tests.workers.projection import recorded
from tests.workers.scraping import Scrape
from tests.workflows.temporal.plans import act, approval, chain, library, plan, undo
from tests.workflows.temporal.watching import failure_of, waiting_approval
from workers.watch import RunFigures, SlaWatch
from workflows.language.library import Library
from workflows.language.triggers import Definition
from workflows.language.watching import Sla


async def test_report_of_runs_that_a_worker_wrote(client: Client, database: Database) -> None:
    """Outcomes, steps with their kinds and parts, compensations apart, failures by step, and what it cost."""
    steps = chain(act("charge", undo=undo()), approval("ask"), act("send", action="flaky"))
    loaded = library(plan("sold", *steps))
    async with recorded(client, database, loaded) as recorded_host:
        for refusals in (0, 1):
            recorded_host.host.ledger.refusals = refusals
            handle = await recorded_host.host.start("sold", {})
            await waiting_approval(handle)
            await handle.signal("approve", {"step": "ask", "approver": "a"})
            await (failure_of(handle) if refusals else handle.result())
    report = await read_report(database, Selection(datetime.now(UTC) - timedelta(hours=1)))
    [version] = report.versions
    assert (version.definition, version.ended, version.succeeded) == ("sold", 2, 1)
    assert version.outcomes == {"completed": 1, "compensated": 1}
    assert version.actions > 2 * 5
    found = {(step.step, step.kind): step for step in version.steps}
    assert set(found) == {
        ("charge", "action"),
        ("charge", "compensation"),
        ("ask", "approval"),
        ("send", "action"),
    }
    assert found["charge", "action"].ended == 2
    assert found["charge", "action"].running > 0
    assert found["ask", "approval"].people > 0
    assert [(failure.step, failure.failures) for failure in version.failures] == [("send", 1)]


async def test_watches_see_runs_that_a_worker_wrote(client: Client, database: Database, scrape: Scrape) -> None:
    """Open runs and waiting approvals as gauges; a run that takes longer than its definition says, once."""
    loaded = Library.of([Definition(plan("slow", *chain(approval("ask"), act("send"))), sla=Sla(0.001))])
    async with recorded(client, database, loaded) as recorded_host:
        handle = await recorded_host.host.start("slow", {})
        await waiting_approval(handle)

        async def written() -> bool:
            return bool(await database.fetch("select 1 from saga.approvals"))

        await eventually(written)
        figures = RunFigures(database)
        figures.show_on(scrape.metrics)
        await figures.sample()
        watch = SlaWatch(database, lambda: loaded, scrape.metrics, "test")
        await watch.look()
        await watch.look()
        await handle.signal("approve", {"step": "ask", "approver": "a"})
        await handle.result()
    await watch.look()
    assert scrape.values("saga.runs.open", "definition", "status") == {("slow", "waiting"): 1}
    assert scrape.values("saga.approvals.waiting", "definition") == {("slow",): 1}
    assert scrape.values("saga.sla.breaches", "definition") == {("slow",): 1}
    [told] = await database.fetch("select envelope::json ->> 'event_type' as type from saga.outbox")
    assert told["type"] == "workflow.sla-breached"

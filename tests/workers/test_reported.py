"""What workers write is what reports read: figures of runs that really went through a server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from temporalio.client import Client

from store.database import Database
from store.report_figures import Selection
from store.reports import read_report
from tests.workers.projected import recorded
from tests.workflows.temporal.plans import act, approval, chain, library, plan, undo
from tests.workflows.temporal.watching import failure_of, waiting_approval


async def test_report_of_runs_that_a_worker_wrote(client: Client, database: Database) -> None:
    """Outcomes, steps with their kinds and parts, compensations apart, failures by step, and what it cost."""
    steps = chain(act("charge", undo=undo()), approval("ask"), act("send", action="flaky"))
    loaded = library(plan("sold", *steps))
    async with recorded(client, database, loaded) as scene:
        for refusals in (0, 1):
            scene.host.ledger.refusals = refusals
            handle = await scene.host.start("sold", {})
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

"""Days and months pass in a moment: approvals that time out, remind and escalate, a long wait, the run's time-out.

The server that skips time keeps a clock of its own; what is asserted is how much time has passed on it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final, LiteralString
from uuid import uuid4

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from activities.registry import catalog
from activities.resources import Resources
from store.database import Row
from tests.acceptance.scenarios import LARGE, SALES, ScenarioHost, agent, order
from tests.definitions.hosting import Run, failure_of, waiting
from tests.support.recording_publisher import RecordingPublisher
from workers.worker import make_worker
from workflows.language.compiler import compile_sources

LONG_WAIT = """
id: long-wait
version: 1.0.0
steps:
  - {id: sleep, type: wait, for: 30d}
  - {id: wake, type: set, vars: {at: "${ string(now) }"}}
output: ${ vars.at }
"""

SLOW = """
id: slow-order
version: 1.0.0
timeout: 10d
steps:
  - id: reserve
    action: inventory.reserve
    with: {order_id: o-1, items: [{sku: pen, quantity: 5}]}
    compensate: {action: inventory.release, with: {}}
  - {id: sleep, type: wait, for: 30d}
"""

APPROVED_BY_SILENCE = """
id: silent-approval
version: 1.0.0
steps:
  - id: ask
    type: approval
    title: Go on?
    timeout: 5d
    on_timeout: approve
output: ${ steps.ask.output }
"""

_AGENTS: Final = "select * from saga.agents"
_RESERVATIONS: Final = "select count(*) as made, count(released_at) as undone from saga.reservations"
_PAYMENTS: Final = "select count(*) as made, count(refunded_at) as undone from saga.payments"


async def took(run: Run) -> timedelta:
    """Return how much of the server's time a run took."""
    found = await run.describe()
    assert found.close_time is not None
    return found.close_time - found.start_time


@asynccontextmanager
async def started(time_skipping_host: WorkflowEnvironment, resources: Resources, text: str) -> AsyncIterator[Run]:
    """Run one definition of this test on a worker of its own."""
    library = compile_sources({"definition.yaml": text}, catalog()).library
    assert library is not None
    [definition] = library.all()
    queue = f"time-{uuid4().hex}"
    async with make_worker(time_skipping_host.client, lambda: library, resources, queue):
        yield await time_skipping_host.client.start_workflow(definition.id, id=queue, task_queue=queue)


async def kept(resources: Resources, query: LiteralString) -> list[Row]:
    """Return what the database holds."""
    return await resources.opened_database().fetch(query)


@pytest.fixture
def skipping(time_skipping_host: ScenarioHost) -> WorkflowEnvironment:
    """The server that skips time."""
    assert time_skipping_host.environment is not None
    return time_skipping_host.environment


async def test_approval_reminds_every_day_and_times_out(
    time_skipping_host: ScenarioHost, resources: Resources, publisher: RecordingPublisher
) -> None:
    """Three days of silence: two reminders that say what is asked, then a rejection, then the roll-back."""
    run = await time_skipping_host.start_by_type("agent-creation", agent())
    failure = await failure_of(run)
    assert failure.type == "rejected"
    assert await took(run) >= timedelta(hours=72)
    assert publisher.types() == ["agent.approval-reminder"] * 2
    reminder: Any = publisher.published[0][0].data
    assert (reminder["step"], reminder["workflow_id"]) == ("approve-agent", run.id)
    assert len({event.id for event, _ in publisher.published}) == 2
    assert await kept(resources, _AGENTS) == []


async def test_approval_escalates_after_a_day(time_skipping_host: ScenarioHost, resources: Resources) -> None:
    """Who may decide after the escalation is refused before it."""
    run = await time_skipping_host.start_by_type("order-fulfilment", order(total=5000))
    await waiting(run)
    decision = {"step": LARGE, "decision": "approve", "approver": "cleo", "roles": ["head-of-sales"]}
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await run.execute_update("decide", decision)
    assert isinstance(refused.value.cause, ApplicationError)
    assert "cleo may not decide" in str(refused.value.cause)
    await time_skipping_host.advance_time(timedelta(hours=25))
    assert (await waiting(run))["approvers"] == ["role:sales", "role:head-of-sales"]
    await run.execute_update("decide", decision)
    await run.execute_update("decide", decision | {"approver": "ada", "roles": SALES})
    await run.result()
    assert timedelta(hours=25) <= await took(run) < timedelta(hours=26)
    assert await kept(resources, _PAYMENTS) == [{"made": 1, "undone": 0}]


async def test_large_order_times_out_and_releases_its_stock(
    time_skipping_host: ScenarioHost, resources: Resources
) -> None:
    """An escalation to which nobody answers either ends in the rejection."""
    run = await time_skipping_host.start_by_type("order-fulfilment", order(total=5000))
    failure = await failure_of(run)
    assert failure.type == "rejected"
    assert timedelta(hours=72) <= await took(run) < timedelta(hours=73)
    assert await kept(resources, _RESERVATIONS) == [{"made": 1, "undone": 1}]


async def test_silence_may_mean_yes(skipping: WorkflowEnvironment, resources: Resources) -> None:
    """`on_timeout: approve` approves after five days, and says that nobody did."""
    async with started(skipping, resources, APPROVED_BY_SILENCE) as run:
        output = await run.result()
        assert timedelta(days=5) <= await took(run) < timedelta(days=6)
    assert (output["decision"], output["by"], output["decisions"]) == ("approved", "timeout", [])


async def test_wait_of_a_month(skipping: WorkflowEnvironment, resources: Resources) -> None:
    """`now` is 30 days later afterwards."""
    async with started(skipping, resources, LONG_WAIT) as run:
        woken = await run.result()
        assert timedelta(days=30) <= await took(run) < timedelta(days=31)
        begun = (await run.describe()).start_time
    assert woken > (begun + timedelta(days=30)).isoformat()[:19]


async def test_timeout_of_the_run_compensates(skipping: WorkflowEnvironment, resources: Resources) -> None:
    """After ten days the wait of thirty is cut short, what was reserved is released, and the run says why it ended."""
    async with started(skipping, resources, SLOW) as run:
        failure = await failure_of(run)
        assert failure.type == "timeout"
        assert timedelta(days=10) <= await took(run) < timedelta(days=11)
        state = await run.query("state")
    assert (state["status"], state["undone"]) == ("timed-out", ["reserve"])
    assert await kept(resources, _RESERVATIONS) == [{"made": 1, "undone": 1}]

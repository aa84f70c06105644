"""Scenarios: what can happen to a run of each shipped definition on a real server: the histories to replay later.

A scenario starts a run, sends it decisions and messages, and returns it; however it ends is part of its history.
Scenarios in which days pass run on the time-skipping server. Some runs are started by type, as Temporal's
command line does (a marker in their history pins them), the others by the product (a search attribute does).
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from temporalio.client import WorkflowFailureError, WorkflowHistory
from temporalio.testing import WorkflowEnvironment

from tests.definitions.hosting import Host, Run, waiting
from tests.definitions.shipped import shipped
from tests.support.waiting import PATIENCE_SECONDS
from workflows.temporal.starting import StartRequest, start_run

SALES = ["sales"]
LARGE = "approve-large-order"


@dataclass(frozen=True)
class ScenarioHost:
    """What a scenario runs on: a worker with the shipped definitions, and the clock of a time-skipping server.

    Attributes:
        host: The worker.
        environment: The server that skips time; None on the real one.
    """

    host: Host
    environment: WorkflowEnvironment | None = None

    async def start_by_type(self, definition: str, given: Any) -> Run:
        """Start a run as Temporal's command line does."""
        return await self.host.start(definition, given)

    async def start_pinned(self, definition: str, given: Any) -> Run:
        """Start a run as the product does."""
        found = shipped().resolve(definition)
        assert found is not None
        request = StartRequest(found, given, key=uuid.uuid4().hex)
        started = await start_run(self.host.client, self.host.queue, request)
        return self.host.client.get_workflow_handle(started.workflow_id, run_id=started.run_id)

    async def advance_time(self, time: timedelta) -> None:
        """Advance the clock of the time-skipping server."""
        assert self.environment is not None
        await self.environment.sleep(time)


Scenario = Callable[[ScenarioHost], Awaitable[Run]]


def agent(**changes: Any) -> dict[str, Any]:
    """Return a request for a new agent."""
    return {"agent_id": uuid.uuid4().hex, "type": "researcher", "cognitive_pattern": "systems"} | changes


def order(**changes: Any) -> dict[str, Any]:
    """Return a small order."""
    items = [{"sku": "pen", "quantity": 2}]
    small = {"order_id": uuid.uuid4().hex, "account": "acme", "address": "1 Main Street", "total": 120.5}
    return small | {"items": items} | changes


def parcels(*addresses: str) -> dict[str, Any]:
    """Return a batch of parcels."""
    wanted = [{"order_id": f"o-{number}", "address": address} for number, address in enumerate(addresses)]
    return {"batch_id": uuid.uuid4().hex, "parcels": wanted}


def invoice() -> dict[str, Any]:
    """Return an invoice of 100."""
    return {"invoice_id": uuid.uuid4().hex, "amount": 100}


async def seed_success(host: ScenarioHost) -> Run:
    """Everything goes well."""
    return await host.start_by_type("agent-creation-v1", agent())


async def seed_success_pinned(host: ScenarioHost) -> Run:
    """Everything goes well in a run that the product started."""
    return await host.start_pinned("agent-creation-v1", agent())


async def seed_rollback(host: ScenarioHost) -> Run:
    """One branch of the parallel fails, the others are cancelled or done, and cleanup undoes."""
    return await host.start_by_type("agent-creation-v1", agent(cognitive_pattern="telepathic"))


async def seed_recovered(host: ScenarioHost) -> Run:
    """create-agent fails, and `onError` leads to cleanup."""
    given = agent()
    await (await host.start_by_type("agent-creation-v1", given)).result()
    return await host.start_by_type("agent-creation-v1", given)


async def agent_decided(host: ScenarioHost, signal: str, **changes: Any) -> Run:
    """A person decides by signal."""
    run = await host.start_by_type("agent-creation", agent(**changes))
    await waiting(run)
    await run.signal(signal, {"step": "approve-agent", "approver": "alice", "comment": "as agreed"})
    return run


async def agent_approved(host: ScenarioHost) -> Run:
    """Approved."""
    return await agent_decided(host, "approve")


async def agent_rejected(host: ScenarioHost) -> Run:
    """Rejected, and rolled back."""
    return await agent_decided(host, "reject")


async def agent_fails_later(host: ScenarioHost) -> Run:
    """Approved, but the pattern is unknown: rolled back."""
    return await agent_decided(host, "approve", cognitive_pattern="telepathic")


async def agent_decided_early(host: ScenarioHost) -> Run:
    """The approval comes with the start, before the step waits."""
    run = await host.start_pinned("agent-creation", agent())
    await run.signal("approve", {"step": "approve-agent", "approver": "alice"})
    return run


async def agent_refused(host: ScenarioHost) -> Run:
    """The input does not fit the schema: no step runs."""
    return await host.start_by_type("agent-creation", {"agent_id": "x"})


async def agent_cancelled(host: ScenarioHost) -> Run:
    """Cancelled while it waits: compensated, then cancelled."""
    run = await host.start_pinned("agent-creation", agent())
    await waiting(run)
    await run.cancel()
    return run


async def agent_timed_out(host: ScenarioHost) -> Run:
    """Nobody decides within three days: two reminders, then rolled back."""
    return await host.start_by_type("agent-creation", agent())


async def order_small(host: ScenarioHost) -> Run:
    """No approval is needed."""
    return await host.start_pinned("order-fulfilment", order())


async def order_declined(host: ScenarioHost) -> Run:
    """The payment is declined, the stock released."""
    return await host.start_by_type("order-fulfilment", order(account="corner-shop"))


async def order_undeliverable(host: ScenarioHost) -> Run:
    """The shipment fails: refunded, then released."""
    return await host.start_pinned("order-fulfilment", order(address=" "))


async def order_large(host: ScenarioHost) -> Run:
    """Two people approve by update, after one refusal."""
    run = await host.start_by_type("order-fulfilment", order(total=5000))
    await waiting(run)
    for approver in ("ada", "bo"):
        decision = {"step": LARGE, "decision": "approve", "approver": approver, "roles": SALES}
        await run.execute_update("decide", decision)
    return run


async def order_escalated(host: ScenarioHost) -> Run:
    """After a day the head of sales may decide, and does so with one of the others."""
    run = await host.start_by_type("order-fulfilment", order(total=5000))
    await waiting(run)
    await host.advance_time(timedelta(hours=25))
    await run.signal("approve", {"step": LARGE, "approver": "cleo", "roles": ["head-of-sales"]})
    await run.signal("approve", {"step": LARGE, "approver": "ada", "roles": SALES})
    return run


async def order_timed_out(host: ScenarioHost) -> Run:
    """Nobody decides: rejected after three days, and the stock released."""
    return await host.start_pinned("order-fulfilment", order(total=5000))


async def bulk_success(host: ScenarioHost) -> Run:
    """More parcels than the window takes at once."""
    return await host.start_by_type("bulk-shipment", parcels(*["1 Main Street"] * 25))


async def bulk_rollback(host: ScenarioHost) -> Run:
    """One of many fails, and all others are cancelled."""
    return await host.start_pinned("bulk-shipment", parcels(*["1 Main Street"] * 7, " ", *["1 Main Street"] * 3))


async def invoice_paid(host: ScenarioHost) -> Run:
    """A part payment stays in the mailbox; the whole one settles."""
    run = await host.start_by_type("invoice-collection", invoice())
    await run.signal("payment", {"amount": 60})
    await run.signal("payment", {"amount": 100})
    return run


async def invoice_paid_late(host: ScenarioHost) -> Run:
    """Paid after the reminder."""
    run = await host.start_by_type("invoice-collection", invoice())
    await host.advance_time(timedelta(days=15))
    await run.signal("payment", {"amount": 100})
    return run


async def invoice_never_paid(host: ScenarioHost) -> Run:
    """Reminded, timed out, withdrawn."""
    return await host.start_pinned("invoice-collection", invoice())


async def report(host: ScenarioHost) -> Run:
    """The report of a night."""
    return await host.start_by_type("nightly-sales-report", {"hours": 24})


async def report_refused(host: ScenarioHost) -> Run:
    """The input does not fit the schema."""
    return await host.start_pinned("nightly-sales-report", {"hours": 0})


REAL_TIME: Mapping[str, Scenario] = MappingProxyType(
    {
        "agent-creation-v1/success": seed_success,
        "agent-creation-v1/success-pinned": seed_success_pinned,
        "agent-creation-v1/rollback": seed_rollback,
        "agent-creation-v1/recovered": seed_recovered,
        "agent-creation/approved": agent_approved,
        "agent-creation/rejected": agent_rejected,
        "agent-creation/fails-later": agent_fails_later,
        "agent-creation/decided-early": agent_decided_early,
        "agent-creation/refused": agent_refused,
        "agent-creation/cancelled": agent_cancelled,
        "order-fulfilment/small": order_small,
        "order-fulfilment/declined": order_declined,
        "order-fulfilment/undeliverable": order_undeliverable,
        "order-fulfilment/large": order_large,
        "bulk-shipment/success": bulk_success,
        "bulk-shipment/rollback": bulk_rollback,
        "invoice-collection/paid": invoice_paid,
        "nightly-sales-report/success": report,
        "nightly-sales-report/refused": report_refused,
    }
)
"""Scenarios on the real server, by definition and name."""

TIME_SKIPPING: Mapping[str, Scenario] = MappingProxyType(
    {
        "agent-creation/timed-out": agent_timed_out,
        "order-fulfilment/escalated": order_escalated,
        "order-fulfilment/timed-out": order_timed_out,
        "invoice-collection/paid-late": invoice_paid_late,
        "invoice-collection/never-paid": invoice_never_paid,
    }
)
"""Scenarios in which days pass."""


async def history_of(scenario: Scenario, host: ScenarioHost) -> WorkflowHistory:
    """Run a scenario to the end of its run, and return the run's history."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        run = await scenario(host)
        if host.environment is not None:
            await host.advance_time(timedelta(days=60))
        with suppress(WorkflowFailureError):
            await run.result()
        return await run.fetch_history()

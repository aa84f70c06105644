"""What can happen to a run of each shipped definition, played on a real server: the histories to replay later.

A scene starts a run, plays the people and the messages in it, and returns it; however it ends is part of its history.
Scenes in which days pass are played on the server that skips time. Some runs are started by type, as Temporal's
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
from workflows.temporal.starting import StartRequest, start_run

SALES = ["sales"]
LARGE = "approve-large-order"


@dataclass(frozen=True)
class Theatre:
    """Where scenes are played: a worker with the shipped definitions, and the passing of time where it can be skipped.

    Attributes:
        host: The worker.
        environment: The server that skips time; None on the real one.
    """

    host: Host
    environment: WorkflowEnvironment | None = None

    async def by_type(self, definition: str, given: Any) -> Run:
        """Start a run as Temporal's command line does."""
        return await self.host.start(definition, given)

    async def pinned(self, definition: str, given: Any) -> Run:
        """Start a run as the product does."""
        found = shipped().resolve(definition)
        assert found is not None
        request = StartRequest(found, given, key=uuid.uuid4().hex)
        started = await start_run(self.host.client, self.host.queue, request)
        return self.host.client.get_workflow_handle(started.workflow_id, run_id=started.run_id)

    async def let_pass(self, time: timedelta) -> None:
        """Let time pass."""
        assert self.environment is not None
        await self.environment.sleep(time)


Scene = Callable[[Theatre], Awaitable[Run]]


def agent(**changes: Any) -> dict[str, Any]:
    """Return a request for an agent that nobody else has."""
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


async def seed_success(theatre: Theatre) -> Run:
    """Everything goes well."""
    return await theatre.by_type("agent-creation-v1", agent())


async def seed_success_pinned(theatre: Theatre) -> Run:
    """Everything goes well in a run that the product started."""
    return await theatre.pinned("agent-creation-v1", agent())


async def seed_rollback(theatre: Theatre) -> Run:
    """One branch of the parallel fails, the others are cancelled or done, and cleanup undoes."""
    return await theatre.by_type("agent-creation-v1", agent(cognitive_pattern="telepathic"))


async def seed_recovered(theatre: Theatre) -> Run:
    """create-agent fails, and `onError` leads to cleanup."""
    given = agent()
    await (await theatre.by_type("agent-creation-v1", given)).result()
    return await theatre.by_type("agent-creation-v1", given)


async def agent_decided(theatre: Theatre, signal: str, **changes: Any) -> Run:
    """A person decides by signal."""
    run = await theatre.by_type("agent-creation", agent(**changes))
    await waiting(run)
    await run.signal(signal, {"step": "approve-agent", "approver": "alice", "comment": "as agreed"})
    return run


async def agent_approved(theatre: Theatre) -> Run:
    """Approved."""
    return await agent_decided(theatre, "approve")


async def agent_rejected(theatre: Theatre) -> Run:
    """Rejected, and rolled back."""
    return await agent_decided(theatre, "reject")


async def agent_fails_later(theatre: Theatre) -> Run:
    """Approved, but the pattern is unknown: rolled back."""
    return await agent_decided(theatre, "approve", cognitive_pattern="telepathic")


async def agent_decided_early(theatre: Theatre) -> Run:
    """The approval comes with the start, before the step waits."""
    run = await theatre.pinned("agent-creation", agent())
    await run.signal("approve", {"step": "approve-agent", "approver": "alice"})
    return run


async def agent_refused(theatre: Theatre) -> Run:
    """The input does not fit the schema: no step runs."""
    return await theatre.by_type("agent-creation", {"agent_id": "x"})


async def agent_cancelled(theatre: Theatre) -> Run:
    """Cancelled while it waits: compensated, then cancelled."""
    run = await theatre.pinned("agent-creation", agent())
    await waiting(run)
    await run.cancel()
    return run


async def agent_timed_out(theatre: Theatre) -> Run:
    """Nobody decides within three days: two reminders, then rolled back."""
    return await theatre.by_type("agent-creation", agent())


async def order_small(theatre: Theatre) -> Run:
    """No approval is needed."""
    return await theatre.pinned("order-fulfilment", order())


async def order_declined(theatre: Theatre) -> Run:
    """The payment is declined, the stock released."""
    return await theatre.by_type("order-fulfilment", order(account="corner-shop"))


async def order_homeless(theatre: Theatre) -> Run:
    """The shipment fails: refunded, then released."""
    return await theatre.pinned("order-fulfilment", order(address=" "))


async def order_large(theatre: Theatre) -> Run:
    """Two people approve by update, after one refusal."""
    run = await theatre.by_type("order-fulfilment", order(total=5000))
    await waiting(run)
    for approver in ("ada", "bo"):
        decision = {"step": LARGE, "decision": "approve", "approver": approver, "roles": SALES}
        await run.execute_update("decide", decision)
    return run


async def order_escalated(theatre: Theatre) -> Run:
    """After a day the head of sales may decide, and does so with one of the others."""
    run = await theatre.by_type("order-fulfilment", order(total=5000))
    await waiting(run)
    await theatre.let_pass(timedelta(hours=25))
    await run.signal("approve", {"step": LARGE, "approver": "cleo", "roles": ["head-of-sales"]})
    await run.signal("approve", {"step": LARGE, "approver": "ada", "roles": SALES})
    return run


async def order_timed_out(theatre: Theatre) -> Run:
    """Nobody decides: rejected after three days, and the stock released."""
    return await theatre.pinned("order-fulfilment", order(total=5000))


async def bulk_success(theatre: Theatre) -> Run:
    """More parcels than the window takes at once."""
    return await theatre.by_type("bulk-shipment", parcels(*["1 Main Street"] * 25))


async def bulk_rollback(theatre: Theatre) -> Run:
    """One of many fails, and all others are cancelled."""
    return await theatre.pinned("bulk-shipment", parcels(*["1 Main Street"] * 7, " ", *["1 Main Street"] * 3))


async def invoice_paid(theatre: Theatre) -> Run:
    """A part payment stays in the mailbox; the whole one settles."""
    run = await theatre.by_type("invoice-collection", invoice())
    await run.signal("payment", {"amount": 60})
    await run.signal("payment", {"amount": 100})
    return run


async def invoice_paid_late(theatre: Theatre) -> Run:
    """Paid after the reminder."""
    run = await theatre.by_type("invoice-collection", invoice())
    await theatre.let_pass(timedelta(days=15))
    await run.signal("payment", {"amount": 100})
    return run


async def invoice_never_paid(theatre: Theatre) -> Run:
    """Reminded, timed out, withdrawn."""
    return await theatre.pinned("invoice-collection", invoice())


async def report(theatre: Theatre) -> Run:
    """The report of a night."""
    return await theatre.by_type("nightly-sales-report", {"hours": 24})


async def report_refused(theatre: Theatre) -> Run:
    """The input does not fit the schema."""
    return await theatre.pinned("nightly-sales-report", {"hours": 0})


NOW: Mapping[str, Scene] = MappingProxyType(
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
        "order-fulfilment/homeless": order_homeless,
        "order-fulfilment/large": order_large,
        "bulk-shipment/success": bulk_success,
        "bulk-shipment/rollback": bulk_rollback,
        "invoice-collection/paid": invoice_paid,
        "nightly-sales-report/success": report,
        "nightly-sales-report/refused": report_refused,
    }
)
"""Scenes on the real server, by definition and name."""

LATER: Mapping[str, Scene] = MappingProxyType(
    {
        "agent-creation/timed-out": agent_timed_out,
        "order-fulfilment/escalated": order_escalated,
        "order-fulfilment/timed-out": order_timed_out,
        "invoice-collection/paid-late": invoice_paid_late,
        "invoice-collection/never-paid": invoice_never_paid,
    }
)
"""Scenes in which days pass."""


async def history_of(scene: Scene, theatre: Theatre) -> WorkflowHistory:
    """Play a scene to the end of its run, and return the run's history."""
    async with asyncio.timeout(60):
        run = await scene(theatre)
        if theatre.environment is not None:
            await theatre.let_pass(timedelta(days=60))
        with suppress(WorkflowFailureError):
            await run.result()
        return await run.fetch_history()

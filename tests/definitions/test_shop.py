"""order-fulfilment, bulk-shipment, nightly-sales-report and invoice-collection do what their comments say."""

from __future__ import annotations

from typing import Any

import pytest

from store.database import Database
from tests.definitions.hosting import Host, waiting
from tests.support.recording_publisher import RecordingPublisher

ORDER = {
    "order_id": "o-1",
    "account": "acme",
    "address": "1 Main Street",
    "total": 120.5,
    "items": [{"sku": "lamp", "quantity": 2}],
}


async def totals(database: Database) -> dict[str, Any]:
    """Return what is reserved, charged and shipped at this moment."""
    rows = await database.fetch(
        "select (select count(*) from saga.reservations where released_at is null) as reserved,"
        " (select sum(charged)::float from saga.accounts) as charged,"
        " (select count(*) from saga.shipments where cancelled_at is null) as shipped,"
        " (select on_hand from saga.stock where sku = 'lamp') as lamps"
    )
    return rows[0]


NOTHING = {"reserved": 0, "charged": 0.0, "shipped": 0, "lamps": 5000}


async def test_small_order_needs_no_approval(host: Host, database: Database, publisher: RecordingPublisher) -> None:
    """Stock, money, shipment, and an event with what came of it."""
    result = await host.execute("order-fulfilment", ORDER)
    assert await totals(database) == {"reserved": 1, "charged": 120.5, "shipped": 1, "lamps": 4998}
    event, _ = publisher.published[0]
    assert (event.type, event.metadata["group_id"]) == ("order.fulfilled", "o-1")
    assert event.data == result


async def test_large_order_needs_two_people(host: Host, database: Database) -> None:
    """One of two is not enough."""
    run = await host.start("order-fulfilment", ORDER | {"total": 1000})
    question = await waiting(run)
    assert question["show"] == {"account": "acme", "articles": 2}
    for approver in ("ada", "bo"):
        await run.signal(
            "approve", {"step": "approve-large-order", "approver": approver, "roles": ["sales"], "data": {}}
        )
    await run.result()
    assert (await totals(database))["charged"] == 1000.0


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"account": "corner-shop"}, "payment-declined"), ({"items": [{"sku": "globe", "quantity": 1}]}, "out-of-stock")],
)
async def test_order_that_the_data_refuses_is_rolled_back(
    host: Host, database: Database, publisher: RecordingPublisher, changes: dict[str, Any], code: str
) -> None:
    """A limit or an empty shelf: everything is as before, and nothing was announced."""
    failed = await host.failure("order-fulfilment", ORDER | changes)
    assert (failed.type, code in str(failed.details)) == ("rejected", True)
    assert await totals(database) == NOTHING
    assert publisher.published == []


async def test_bulk_shipment_keeps_the_order_of_its_parcels(
    host: Host, database: Database, publisher: RecordingPublisher
) -> None:
    """Fifty parcels, twenty at a time, results in order."""
    parcels = [{"order_id": f"o-{number}", "address": "1 Main Street"} for number in range(50)]
    result = await host.execute("bulk-shipment", {"batch_id": "b-1", "parcels": parcels})
    rows = await database.fetch("select order_id, shipment_id::text as shipment from saga.shipments")
    by_order = {row["order_id"]: row["shipment"] for row in rows}
    assert result["shipments"] == [by_order[f"o-{number}"] for number in range(50)]
    assert publisher.published[0][0].data == {"batch_id": "b-1", "count": 50}


async def test_bulk_shipment_cancels_all_when_one_fails(host: Host, database: Database) -> None:
    """An address that is only blanks is refused by the action."""
    parcels = [{"order_id": f"o-{number}", "address": "1 Main Street"} for number in range(10)]
    bad = {"order_id": "o-bad", "address": " "}
    failed = await host.failure("bulk-shipment", {"batch_id": "b-1", "parcels": [*parcels, bad]})
    assert failed.type == "validation"
    assert (await totals(database))["shipped"] == 0


async def test_bulk_shipment_of_nothing_succeeds(host: Host) -> None:
    """An empty list has an empty result."""
    result = await host.execute("bulk-shipment", {"batch_id": "b-1", "parcels": []})
    assert result == {"batch_id": "b-1", "shipments": []}


@pytest.mark.parametrize("given", [{}, {"hours": 1}])
async def test_nightly_report_sums_up_the_sales(
    host: Host, publisher: RecordingPublisher, given: dict[str, int]
) -> None:
    """What was charged before the report began is in it."""
    await host.execute("order-fulfilment", ORDER)
    result = await host.execute("nightly-sales-report", given)
    assert result == {"payments": 1, "refunded": 0, "revenue": 120.5}
    assert publisher.types() == ["order.fulfilled", "report.sales"]


async def test_invoice_is_settled_by_a_whole_payment(host: Host, publisher: RecordingPublisher) -> None:
    """A part payment is not what it waits for."""
    run = await host.start("invoice-collection", {"invoice_id": "i-1", "amount": 100})
    await run.signal("payment", {"invoice_id": "i-1", "amount": 60})
    await run.signal("payment", {"invoice_id": "i-1", "amount": 100})
    await run.result()
    assert publisher.types() == ["invoice.issued", "invoice.settled"]


async def test_invoice_that_is_never_paid_is_withdrawn(skipping_host: Host, publisher: RecordingPublisher) -> None:
    """Three weeks pass in a moment: reminder, time-out, compensation."""
    failed = await skipping_host.failure("invoice-collection", {"invoice_id": "i-1", "amount": 100})
    assert failed.type == "timeout"
    assert publisher.types() == ["invoice.issued", "invoice.reminder", "invoice.withdrawn"]


async def test_approval_that_nobody_gives_is_a_rejection(
    skipping_host: Host, database: Database, publisher: RecordingPublisher
) -> None:
    """Three days pass: reminded twice, then rejected and rolled back."""
    failed = await skipping_host.failure("agent-creation", {"agent_id": "a-1", "type": "coder"})
    assert failed.type == "rejected"
    assert publisher.types() == ["agent.approval-reminder", "agent.approval-reminder"]
    assert await database.fetch("select * from saga.agents") == []

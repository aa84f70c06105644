"""The reference shop: real stock, real money, and back again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from activities.resources import Resources
from activities.shop import (
    inventory_release,
    inventory_reserve,
    payment_charge,
    payment_refund,
    sales_summary,
    shipment_cancel,
    shipment_create,
)
from store.database import Database
from tests.activities.carrying import carry_out, context, failure, problem

ITEMS = {"order_id": "o-1", "items": [{"sku": "lamp", "quantity": 2}, {"sku": "pen", "quantity": 3}]}
CHARGE = {"order_id": "o-1", "account": "corner-shop", "amount": 30.5}
SHIP = {"order_id": "o-1", "address": "1 Main Street"}


async def on_hand(database: Database, sku: str) -> int:
    """Return the stock of an article."""
    found = await database.fetch("select on_hand from saga.stock where sku = $1", sku)
    return int(found[0]["on_hand"])


async def charged(database: Database, account: str) -> float:
    """Return what an account was charged."""
    found = await database.fetch("select charged from saga.accounts where account_id = $1", account)
    return float(found[0]["charged"])


async def test_reserve_and_release(resources: Resources, database: Database) -> None:
    """Stock goes down once, and comes back once."""
    before = await on_hand(database, "lamp"), await on_hand(database, "pen")
    for _ in range(2):
        output = await carry_out(inventory_reserve, resources, ITEMS, context("reserve"))
        assert output == {"reservation": "run-1/reserve", "quantity": 5}
    assert (await on_hand(database, "lamp"), await on_hand(database, "pen")) == (before[0] - 2, before[1] - 3)
    undo = context("reserve~undo", undoes="run-1/reserve")
    assert await carry_out(inventory_release, resources, ITEMS, undo) == {"undone": 2}
    assert await carry_out(inventory_release, resources, {}, undo) == {"undone": 0}
    assert (await on_hand(database, "lamp"), await on_hand(database, "pen")) == before


@pytest.mark.parametrize(("sku", "said"), [("globe", "0 there"), ("unicorn", "no such article")])
async def test_reserve_takes_all_or_nothing(resources: Resources, database: Database, sku: str, said: str) -> None:
    """One article that is missing keeps the others where they are."""
    before = await on_hand(database, "lamp")
    given = {"order_id": "o-1", "items": [{"sku": "lamp", "quantity": 1}, {"sku": sku, "quantity": 1}]}
    error = await failure(inventory_reserve, resources, given)
    assert (error.type, problem(error)["code"], error.non_retryable) == ("rejected", "out-of-stock", True)
    assert said in problem(error)["detail"]
    assert await on_hand(database, "lamp") == before


async def test_reserve_adds_up_one_article(resources: Resources, database: Database) -> None:
    """An article that is listed twice is reserved twice."""
    before = await on_hand(database, "lamp")
    given = {"order_id": "o-1", "items": [{"sku": "lamp", "quantity": 1}, {"sku": "lamp", "quantity": 4}]}
    await carry_out(inventory_reserve, resources, given)
    assert await on_hand(database, "lamp") == before - 5


async def test_reserve_in_many_runs_at_once_sells_nothing_twice(resources: Resources, database: Database) -> None:
    """Eight orders for 100 desks each leave of 500 what five of them need: nothing."""
    given = {"order_id": "o", "items": [{"sku": "desk", "quantity": 100}, {"sku": "pen", "quantity": 1}]}
    orders = (carry_out(inventory_reserve, resources, given, context(run=f"run-{n}")) for n in range(8))
    results = await asyncio.gather(*orders, return_exceptions=True)
    assert sum(isinstance(result, dict) for result in results) == 5
    assert await on_hand(database, "desk") == 0


async def test_charge_and_refund(resources: Resources, database: Database) -> None:
    """Money goes once, and comes back once."""
    for _ in range(2):
        output = await carry_out(payment_charge, resources, CHARGE, context("charge"))
        assert (output["payment"], output["amount"]) == ("run-1/charge", 30.5)
    assert await charged(database, "corner-shop") == 30.5
    assert await carry_out(payment_refund, resources, {"undo": output["payment"]}, context("refund")) == {"undone": 1}
    assert await charged(database, "corner-shop") == 0


@pytest.mark.parametrize(
    ("account", "amount", "said"), [("corner-shop", 50.01, "50.00 available"), ("nobody", 1, "no account")]
)
async def test_charge_is_declined_by_the_data(
    resources: Resources, database: Database, account: str, amount: float, said: str
) -> None:
    """A limit that does not cover the amount, or an account that is not there."""
    error = await failure(payment_charge, resources, CHARGE | {"account": account, "amount": amount})
    assert (error.type, problem(error)["code"]) == ("rejected", "payment-declined")
    assert said in problem(error)["detail"]
    assert await charged(database, "corner-shop") == 0


async def test_ship_and_cancel(resources: Resources, database: Database) -> None:
    """One shipment for one step, cancelled once."""
    first = await carry_out(shipment_create, resources, SHIP, context("ship"))
    assert await carry_out(shipment_create, resources, SHIP, context("ship")) == first
    undo = context("ship~undo", undoes="run-1/ship")
    assert await carry_out(shipment_cancel, resources, {}, undo) == {"undone": 1}
    found = await database.fetch("select shipment_id, cancelled_at from saga.shipments")
    assert [str(row["shipment_id"]) for row in found] == [first["shipment_id"]]
    assert found[0]["cancelled_at"] is not None


@pytest.mark.parametrize(
    ("act", "undo", "given"),
    [
        (inventory_reserve, inventory_release, ITEMS),
        (payment_charge, payment_refund, CHARGE),
        (shipment_create, shipment_cancel, SHIP),
    ],
    ids=["inventory", "payment", "shipment"],
)
async def test_an_effect_after_its_undoing_is_refused(resources: Resources, act: Any, undo: Any, given: Any) -> None:
    """A late attempt of a compensated step leaves nothing behind."""
    assert await carry_out(undo, resources, {}, context("undo", undoes="run-1/act")) == {"undone": 0}
    error = await failure(act, resources, given, context("act"))
    assert problem(error)["code"] == "already-undone"


async def test_undoing_needs_to_know_what(resources: Resources) -> None:
    """Outside `compensate` the step to take back must be named."""
    assert (await failure(payment_refund, resources, {})).type == "validation"


@pytest.mark.parametrize("amount", [0, -1, 1.234, 1e12, "many", None])
async def test_charge_refuses_what_is_no_amount(resources: Resources, amount: Any) -> None:
    """An amount is positive and has at most two decimals."""
    assert (await failure(payment_charge, resources, CHARGE | {"amount": amount})).type == "validation"


async def test_sales_are_summed_up(resources: Resources) -> None:
    """What was given back counts as a payment and not as revenue; the window has an end."""
    await carry_out(payment_charge, resources, CHARGE, context("one"))
    await carry_out(payment_charge, resources, CHARGE | {"amount": 7.25, "account": "acme"}, context("two"))
    await carry_out(payment_refund, resources, {}, context("undo", undoes="run-1/one"))
    ever = {"since": "2026-01-01T00:00:00Z", "until": "2999-01-01T00:00:00+01:00"}
    assert await carry_out(sales_summary, resources, ever) == {"payments": 2, "refunded": 1, "revenue": 7.25}
    before = ever | {"until": "2026-01-01T00:00:00Z"}
    assert await carry_out(sales_summary, resources, before) == {"payments": 0, "refunded": 0, "revenue": 0.0}
    assert (await failure(sales_summary, resources, ever | {"since": "2026-01-01T00:00:00"})).type == "validation"

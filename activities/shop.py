"""The reference shop: stock, payments and shipments, with the actions that undo them.

Every action is idempotent by its step. An undoing action undoes the step that it compensates; as a step of its own it
is told by `undo` which step's key to take back. It succeeds also where nothing was done, and keeps a late attempt of
that step from taking effect afterwards. Failures come from the data: too little stock, a credit limit.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer, StringConstraints, WithJsonSchema

from activities.action import Call, action
from activities.problems import PermanentProblemError
from contracts.problems import VALIDATION, Problem
from store import shop

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Money = Annotated[
    Decimal,
    Field(gt=0, max_digits=12, decimal_places=2),
    PlainSerializer(float, return_type=float, when_used="json"),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0}),
]
Sum = Annotated[
    Decimal, PlainSerializer(float, return_type=float, when_used="json"), WithJsonSchema({"type": "number"})
]


class Item(BaseModel):
    """An article and how many of it."""

    sku: Text
    quantity: int = Field(ge=1, le=1_000_000)


class Reserve(BaseModel):
    """What `inventory.reserve` takes; all items or none are reserved."""

    model_config = ConfigDict(extra="forbid")

    order_id: Text
    items: list[Item] = Field(min_length=1, max_length=1000)


class Reserved(BaseModel):
    """What `inventory.reserve` gives."""

    reservation: str = Field(description="What `inventory.release` takes as `undo`.")
    quantity: int = Field(description="All articles together.")


class Charge(BaseModel):
    """What `payment.charge` takes."""

    model_config = ConfigDict(extra="forbid")

    order_id: Text
    account: Text
    amount: Money


class Charged(BaseModel):
    """What `payment.charge` gives."""

    payment: str = Field(description="What `payment.refund` takes as `undo`.")
    payment_id: str
    amount: Money


class Ship(BaseModel):
    """What `shipment.create` takes."""

    model_config = ConfigDict(extra="forbid")

    order_id: Text
    address: Text


class Shipped(BaseModel):
    """What `shipment.create` gives."""

    shipment: str = Field(description="What `shipment.cancel` takes as `undo`.")
    shipment_id: str


class Undo(BaseModel):
    """What the undoing actions take. In `compensate` nothing is needed: the compensated step is undone."""

    model_config = ConfigDict(extra="ignore")

    undo: Text | None = Field(None, description="The `reservation`, `payment` or `shipment` to take back.")


class Undone(BaseModel):
    """What the undoing actions give."""

    undone: int = Field(description="How many entries were taken back; 0 where there were none.")


class SalesWindow(BaseModel):
    """What `sales.summary` takes: a time, from `since` (included) to `until` (not included)."""

    model_config = ConfigDict(extra="forbid")

    since: AwareDatetime
    until: AwareDatetime


class SalesSummary(BaseModel):
    """What `sales.summary` gives."""

    payments: int
    refunded: int = Field(description="How many of the payments were given back.")
    revenue: Sum = Field(description="The payments that were not.")


@action("inventory.reserve")
async def inventory_reserve(given: Reserve, call: Call) -> Reserved:
    """Take articles from stock, or fail with `rejected` when there are too few."""
    quantities: dict[str, int] = {}
    for item in given.items:
        quantities[item.sku] = quantities.get(item.sku, 0) + item.quantity
    key = call.context.idempotency_key
    await shop.reserve_stock(call.resources.opened_database(), key, given.order_id, quantities)
    return Reserved(reservation=key, quantity=sum(quantities.values()))


@action("inventory.release")
async def inventory_release(given: Undo, call: Call) -> Undone:
    """Put reserved articles back."""
    return Undone(undone=await shop.release_stock(call.resources.opened_database(), _undone_key(given, call)))


@action("payment.charge")
async def payment_charge(given: Charge, call: Call) -> Charged:
    """Charge an account, or fail with `rejected` when its credit limit does not cover the amount."""
    key, payment_id = call.context.idempotency_key, call.stable_id()
    await shop.charge_account(
        call.resources.opened_database(),
        key,
        payment_id,
        order_id=given.order_id,
        account_id=given.account,
        amount=given.amount,
    )
    return Charged(payment=key, payment_id=str(payment_id), amount=given.amount)


@action("payment.refund")
async def payment_refund(given: Undo, call: Call) -> Undone:
    """Give a charged amount back."""
    return Undone(undone=await shop.refund_payment(call.resources.opened_database(), _undone_key(given, call)))


@action("sales.summary")
async def sales_summary(given: SalesWindow, call: Call) -> SalesSummary:
    """Sum up the payments of a time."""
    found = await shop.sales(call.resources.opened_database(), given.since, given.until)
    return SalesSummary(payments=found.payments, refunded=found.refunded, revenue=found.revenue)


@action("shipment.create")
async def shipment_create(given: Ship, call: Call) -> Shipped:
    """Order a shipment."""
    key, shipment_id = call.context.idempotency_key, call.stable_id()
    await shop.create_shipment(
        call.resources.opened_database(), key, shipment_id, order_id=given.order_id, address=given.address
    )
    return Shipped(shipment=key, shipment_id=str(shipment_id))


@action("shipment.cancel")
async def shipment_cancel(given: Undo, call: Call) -> Undone:
    """Cancel a shipment."""
    return Undone(undone=await shop.cancel_shipment(call.resources.opened_database(), _undone_key(given, call)))


def _undone_key(given: Undo, call: Call) -> str:
    key = given.undo or call.context.undoes
    if key is None:
        detail = "Use this action in `compensate`, or give `undo`: the key in the output of the step to take back."
        raise PermanentProblemError(Problem(VALIDATION, "Nothing to undo was named", 422, detail))
    return key

"""Rows of the reference shop: stock, payments, shipments.

Each effect is one transaction under its idempotency key: done again it changes nothing, undone before it came it is
refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from contracts.errors import PermanentError
from store.database import Database, Session
from store.queries import load
from store.undone import effect, undoing

_SQL: Final = load("shop")


@dataclass(frozen=True, slots=True)
class Sales:
    """The payments of a time: how many, how many of them were given back, and the sum of the others."""

    payments: int
    refunded: int
    revenue: Decimal


class OutOfStockError(PermanentError):
    """There is not enough in stock."""

    code = "out-of-stock"


class PaymentDeclinedError(PermanentError):
    """The account does not cover the amount."""

    code = "payment-declined"


async def reserve_stock(database: Database, key: str, order_id: str, quantities: Mapping[str, int]) -> None:
    """Take all `quantities` (by SKU) from stock, or none of them.

    Raises:
        OutOfStockError: An article is unknown or there is too little of it.
        AlreadyUndoneError: The reservation was released before.
    """
    async with effect(database, key) as session:
        if await session.fetch(_SQL["reservations"], key):
            return
        # One order for all transactions, or two of them could wait for each other for ever.
        for sku in sorted(quantities):
            await _reserve(session, key, order_id, sku, quantities[sku])


async def release_stock(database: Database, key: str) -> int:
    """Put back what was reserved under `key`; return the number of articles put back (0 when nothing was reserved)."""
    async with undoing(database, key) as session:
        return await session.execute(_SQL["release_reservations"], key)


async def charge_account(
    database: Database, key: str, payment_id: UUID, *, order_id: str, account_id: str, amount: Decimal
) -> None:
    """Charge `amount` to the account.

    Raises:
        PaymentDeclinedError: The account is unknown or its credit limit would be exceeded.
        AlreadyUndoneError: The payment was refunded before.
    """
    async with effect(database, key) as session:
        if await session.fetch_row(_SQL["payment"], key) is not None:
            return
        if not await session.execute(_SQL["charge_account"], account_id, amount):
            raise PaymentDeclinedError(await _why_declined(session, account_id, amount))
        await session.execute(_SQL["insert_payment"], key, payment_id, order_id, account_id, amount)


async def refund_payment(database: Database, key: str) -> int:
    """Give back what was charged under `key`; return the number of payments given back (0 when there was none)."""
    async with undoing(database, key) as session:
        return await session.execute(_SQL["refund_payment"], key)


async def sales(database: Database, since: datetime, until: datetime) -> Sales:
    """Sum up the payments from `since` (included) to `until` (not included); both are aware."""
    return Sales(**(await database.fetch(_SQL["sales"], since, until))[0])


async def create_shipment(database: Database, key: str, shipment_id: UUID, *, order_id: str, address: str) -> None:
    """Order a shipment.

    Raises:
        AlreadyUndoneError: The shipment was cancelled before.
    """
    async with effect(database, key) as session:
        await session.execute(_SQL["insert_shipment"], key, shipment_id, order_id, address)


async def cancel_shipment(database: Database, key: str) -> int:
    """Cancel the shipment made under `key`; return how many were cancelled."""
    async with undoing(database, key) as session:
        return await session.execute(_SQL["cancel_shipment"], key)


async def _reserve(session: Session, key: str, order_id: str, sku: str, quantity: int) -> None:
    if not await session.execute(_SQL["take_stock"], sku, quantity):
        row = await session.fetch_row(_SQL["stock"], sku)
        there = "no such article" if row is None else f"{row['on_hand']} there"
        raise OutOfStockError(f"{sku}: {quantity} wanted, {there}.")
    await session.execute(_SQL["insert_reservation"], key, sku, order_id, quantity)


async def _why_declined(session: Session, account_id: str, amount: Decimal) -> str:
    row = await session.fetch_row(_SQL["account"], account_id)
    if row is None:
        return f"There is no account {account_id!r}."
    return f"Account {account_id!r}: {amount} wanted, {row['available']} available."

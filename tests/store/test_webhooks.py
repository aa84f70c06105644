"""Deliveries are accepted once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from contracts.envelope import Event
from contracts.ports import UnfitEventError
from store.database import Database
from store.webhooks import Acceptance, accept_delivery, forget_deliveries

EVENT = Event("e1", "shop.paid", "1.0", datetime(2024, 1, 15, tzinfo=UTC), "webhook/shop", {"a": 1})


async def accept(database: Database, delivery_id: str, body: bytes, *, once_by_body: bool = False) -> Acceptance:
    """Accept a delivery of the shop."""
    return await accept_delivery(database, "shop", delivery_id, body, EVENT, 5, once_by_body=once_by_body)


async def counts(database: Database) -> tuple[int, int]:
    """Return how many deliveries are recorded and how many events wait."""
    (row,) = await database.fetch(
        "select (select count(*) from saga.webhook_deliveries) as d, (select count(*) from saga.outbox) as o"
    )
    return row["d"], row["o"]


async def test_accept_delivery_takes_each_id_once(database: Database) -> None:
    """A repetition is a duplicate, another body under the id a conflict, and another source has ids of its own."""
    assert await accept(database, "d1", b"a") == "accepted"
    assert await accept(database, "d1", b"a") == "duplicate"
    assert await accept(database, "d1", b"b") == "conflict"
    assert await accept(database, "d2", b"a") == "accepted"
    assert await accept_delivery(database, "git", "d1", b"b", EVENT) == "accepted"
    assert await counts(database) == (3, 3)


async def test_accept_delivery_takes_each_body_once_where_asked(database: Database) -> None:
    """A body under a new id is a repetition, and a known id with another body still a conflict."""
    assert await accept(database, "d1", b"a", once_by_body=True) == "accepted"
    assert await accept(database, "d2", b"a", once_by_body=True) == "duplicate"
    assert await accept(database, "d1", b"b", once_by_body=True) == "conflict"
    assert await accept(database, "d3", b"b", once_by_body=True) == "accepted"
    assert await counts(database) == (2, 2)


async def test_accept_delivery_takes_one_of_many_at_once(database: Database) -> None:
    """Fifty identical deliveries at the same time are one row and one event."""
    taken = await asyncio.gather(*(accept(database, "d1", b"a") for _ in range(50)))
    assert sorted(taken) == ["accepted"] + ["duplicate"] * 49
    assert await counts(database) == (1, 1)


async def test_accept_delivery_takes_one_body_of_many_at_once(database: Database) -> None:
    """The same under fifty ids."""
    taken = await asyncio.gather(*(accept(database, f"d{n}", b"a", once_by_body=True) for n in range(50)))
    assert sorted(taken) == ["accepted"] + ["duplicate"] * 49
    assert await counts(database) == (1, 1)


async def test_accept_delivery_keeps_nothing_of_what_it_cannot_write(database: Database) -> None:
    """Id and event are there together or not at all, so that the sender's next try counts."""
    unfit = Event("e2", "shop.paid", "1.0", EVENT.time, "webhook/shop", {"a": "\ud800"})
    with pytest.raises(UnfitEventError):
        await accept_delivery(database, "shop", "d1", b"a", unfit)
    assert await counts(database) == (0, 0)
    assert await accept(database, "d1", b"a") == "accepted"


async def test_forget_deliveries_removes_the_old_ones_in_batches(database: Database) -> None:
    """What is younger stays."""
    for number in range(7):
        await accept(database, f"d{number}", b"a")
    await database.fetch(
        "update saga.webhook_deliveries set accepted_at = now() - interval '31 days' where delivery_id <> 'd6'"
    )
    month_ago = datetime.now(UTC) - timedelta(days=30)
    assert await forget_deliveries(database, month_ago, batch=2) == 6
    assert await forget_deliveries(database, month_ago) == 0
    assert await counts(database) == (1, 7)

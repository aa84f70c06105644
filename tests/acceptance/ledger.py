"""The ledger of the kill tests: fifty orders, what each must lead to, and what PostgreSQL and the bus really hold.

Half of the orders end well. The others fail at the payment or at the shipment and are rolled back. Which order is of
which kind, how much it is worth, and at how many effects something is killed all follow from one seed, which every
message of a failure names: `SAGA_KILL_SEED=<seed>` repeats it.
"""

from __future__ import annotations

import os
import random
import secrets
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString

from store.database import Database
from tests.support.waiting import eventually

RUNS = 50
DEFINITION = "fragile-order"
_STOCK = 1_000_000
_KINDS = ("good",) * 25 + ("declined",) * 13 + ("undeliverable",) * 12
_EFFECTS = """
select (select count(*) + count(released_at) from saga.reservations)
    + (select count(*) + count(refunded_at) from saga.payments)
    + (select count(*) + count(cancelled_at) from saga.shipments) as number
"""
_BEGUN = "select count(distinct order_id) as number from saga.reservations"
_ROWS = """
select order_id, 'reservations' as effect, count(*) as made, count(released_at) as undone
from saga.reservations group by order_id
union all select order_id, 'payments', count(*), count(refunded_at) from saga.payments group by order_id
union all select order_id, 'shipments', count(*), count(cancelled_at) from saga.shipments group by order_id
"""
_SUMS = """
select (select on_hand from saga.stock where sku = 'pen') as pens,
    (select charged::float from saga.accounts where account_id = 'acme') as acme,
    (select charged::float from saga.accounts where account_id = 'corner-shop') as shop
"""

# Made and undone, of each effect.
_EXPECTED: Mapping[str, Mapping[str, tuple[int, int]]] = {
    "good": {"reservations": (1, 0), "payments": (1, 0), "shipments": (1, 0)},
    "declined": {"reservations": (1, 1)},
    "undeliverable": {"reservations": (1, 1), "payments": (1, 1)},
}
_EFFECTS_IN_ALL = 50 + 37 + 25 + 25 + 12


@dataclass(frozen=True)
class Order:
    """One order and its expected end."""

    id: str
    kind: str
    pens: int
    total: int

    @property
    def is_good(self) -> bool:
        """Whether it is to end well."""
        return self.kind == "good"

    def as_input(self) -> dict[str, Any]:
        """Return the input of its run. A shipment to a blank address is refused, a charge beyond the limit too."""
        return {
            "order_id": self.id,
            "account": "corner-shop" if self.kind == "declined" else "acme",
            "address": " " if self.kind == "undeliverable" else "1 Main Street",
            "total": self.total,
            "items": [{"sku": "pen", "quantity": self.pens}],
        }


@dataclass
class Ledger:
    """The orders of one test, and when to kill: at so many effects, or at so many runs that have begun."""

    database: Database
    seed: int
    orders: Sequence[Order]
    kill_at_effects: tuple[int, int]
    kill_at_runs: tuple[int, int]
    notes: list[str] = field(default_factory=list)

    async def effects_reach(self, count: int) -> None:
        """Wait until there are so many effects, undone ones counted twice: as made and as undone."""
        await self._reaches(count, _EFFECTS, _EFFECTS_IN_ALL, "effects")

    async def runs_reach(self, count: int) -> None:
        """Wait until so many runs have had their first effect."""
        await self._reaches(count, _BEGUN, RUNS, "runs")

    async def check(self, announced: Sequence[Mapping[str, Any]]) -> None:
        """Compare the ledger with what there is.

        Args:
            announced: The events of the type `order.fulfilled`, repetitions included.
        """
        wrong = [*self._wrong_rows(await self._rows()), *self._wrong_events(announced), *await self._wrong_sums()]
        assert not wrong, "\n".join([str(self), *wrong])

    def __str__(self) -> str:
        kinds = dict(Counter(order.kind for order in self.orders))
        return "\n".join([f"SAGA_KILL_SEED={self.seed}, {kinds}", *self.notes])

    async def _reaches(self, count: int, query: LiteralString, total: int, what: str) -> None:
        """Wait for a number, and hold that the caller goes on in the middle of the work."""
        seen = 0

        async def so_many() -> bool:
            nonlocal seen
            [row] = await self.database.fetch(query)
            seen = int(row["number"])
            return seen >= count

        await eventually(so_many, 120)
        self.notes.append(f"{seen} of {total} {what} when {count} were waited for")
        assert seen < total, str(self)

    async def _rows(self) -> dict[str, dict[str, tuple[int, int]]]:
        found: defaultdict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
        for row in await self.database.fetch(_ROWS):
            found[row["order_id"]][row["effect"]] = (row["made"], row["undone"])
        return found

    def _wrong_rows(self, rows: Mapping[str, Mapping[str, tuple[int, int]]]) -> list[str]:
        return [
            f"{order.id} ({order.kind}): {rows.get(order.id)} instead of {_EXPECTED[order.kind]}"
            for order in self.orders
            if rows.get(order.id) != _EXPECTED[order.kind]
        ]

    def _wrong_events(self, announced: Sequence[Mapping[str, Any]]) -> list[str]:
        ids: defaultdict[str, set[str]] = defaultdict(set)
        for event in announced:
            ids[event["data"]["order_id"]].add(event["event_id"])
        expected = {order.id: 1 for order in self.orders if order.is_good}
        found = {order: len(each) for order, each in ids.items()}
        return [] if found == expected else [f"events: {found} instead of {expected}"]

    async def _wrong_sums(self) -> list[str]:
        [found] = await self.database.fetch(_SUMS)
        good = [order for order in self.orders if order.is_good]
        pens, charged = sum(order.pens for order in good), sum(order.total for order in good)
        expected = {"pens": _STOCK - pens, "acme": float(charged), "shop": 0.0}
        return [] if found == expected else [f"sums: {found} instead of {expected}"]


def new_ledger(database: Database, name: str) -> Ledger:
    """Make the ledger of fifty orders; two kills fall into the time in which their effects come about.

    Args:
        database: Where the effects are.
        name: Begins the id of each order, so that each test has its own.
    """
    seed = int(os.environ.get("SAGA_KILL_SEED") or secrets.randbelow(1_000_000))
    chance = random.Random(seed)  # noqa: S311 - orders, not secrets
    kinds = chance.sample(_KINDS, RUNS)
    orders = [
        Order(f"{name}-{number}", kind, chance.randint(1, 9), chance.randint(60, 900))
        for number, kind in enumerate(kinds)
    ]
    at_effects = (chance.randint(10, 50), chance.randint(60, 100))
    at_runs = (chance.randint(3, 10), chance.randint(20, 32))
    return Ledger(database, seed, orders, at_effects, at_runs)

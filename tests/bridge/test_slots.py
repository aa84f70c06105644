"""Slots: a bounded number at once, the high class first, the low one never starved."""

from __future__ import annotations

import asyncio
from collections import Counter

from bridge.slots import Slots

WEIGHTS = {"high": 6, "normal": 3, "low": 1}


async def _work(slots: Slots, name: str, log: list[str]) -> None:
    async with slots.one(name):
        log.append(name)
        await asyncio.sleep(0)


async def test_slots_bound_how_many_work_at_once() -> None:
    """Never more than there are slots, and all get through."""
    slots, at_once, most = Slots(3, WEIGHTS), 0, 0

    async def work() -> None:
        nonlocal at_once, most
        async with slots.one("low"):
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0)
            at_once -= 1

    await asyncio.gather(*(work() for _ in range(20)))
    assert (most, at_once) == (3, 0)


async def test_slots_are_shared_by_weight_while_all_classes_wait() -> None:
    """Of ten turns six are of the high class, three of the normal and one of the low."""
    slots, log = Slots(1, WEIGHTS), list[str]()
    await asyncio.gather(*(_work(slots, name, log) for name in ["low"] * 100 + ["normal"] * 100 + ["high"] * 100))
    assert Counter(log[1:101]) == Counter(high=60, normal=30, low=10)
    assert len(log) == 300


async def test_slots_let_what_is_urgent_overtake() -> None:
    """One of the high class that comes behind a thousand of the low goes within a few turns."""
    slots, log = Slots(1, WEIGHTS), list[str]()
    await asyncio.gather(*(_work(slots, name, log) for name in ["low"] * 1000 + ["high"] * 5))
    assert log.index("high") <= 2
    assert [at for at, name in enumerate(log) if name == "high"][-1] <= 8


async def test_slots_of_who_gives_up_are_not_lost() -> None:
    """Cancelled while waiting, or at the very moment of its turn: the next one gets the slot."""
    slots, log = Slots(1, WEIGHTS), list[str]()
    go = asyncio.Event()

    async def hold() -> None:
        async with slots.one("low"):
            await go.wait()
        waiting[1].cancel()  # it has the slot by now, and does not know it yet

    holding = asyncio.create_task(hold())
    await asyncio.sleep(0)
    waiting = [asyncio.create_task(_work(slots, "low", log)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    go.set()
    await holding
    await asyncio.gather(*waiting, return_exceptions=True)
    assert log == ["low"]
    await _work(slots, "high", log)

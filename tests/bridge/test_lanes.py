"""Lanes: deliveries of one run go one by one, in the order in which they came."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from bridge.lanes import Lanes


async def _pass(lanes: Lanes, names: tuple[str, ...], log: list[str], name: str, go: asyncio.Event) -> None:
    async with lanes.through(names):
        log.append(name)
        await go.wait()


async def _settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_lanes_keep_the_order_of_one_run_and_let_others_pass() -> None:
    """The second in a lane waits for the first; another lane is free."""
    lanes, log, go = Lanes(), list[str](), [asyncio.Event() for _ in range(3)]
    names = [("a",), ("a",), ("b",)]
    names = [("a",), ("a",), ("b",)]
    tasks = [asyncio.create_task(_pass(lanes, names[at], log, f"{at}", go[at])) for at in range(3)]
    await _settled()
    assert log == ["0", "2"]
    go[0].set()
    await _settled()
    assert log == ["0", "2", "1"]
    for event in go:
        event.set()
    await asyncio.gather(*tasks)


async def test_lanes_with_two_runs_in_common_do_not_deadlock() -> None:
    """Two deliveries that concern the same two runs in opposite order both end."""
    lanes, log, go = Lanes(), list[str](), asyncio.Event()
    go.set()
    await asyncio.gather(_pass(lanes, ("a", "b"), log, "0", go), _pass(lanes, ("b", "a"), log, "1", go))
    assert log == ["0", "1"]


async def test_lanes_stay_in_order_when_one_that_waits_is_cancelled() -> None:
    """The third goes after the first, not when the second gives up."""
    lanes, log, go = Lanes(), list[str](), [asyncio.Event() for _ in range(3)]
    tasks = [asyncio.create_task(_pass(lanes, ("a",), log, f"{at}", go[at])) for at in range(3)]
    await _settled()
    tasks[1].cancel()
    await _settled()
    assert log == ["0"]
    go[0].set()
    go[2].set()
    await asyncio.gather(tasks[0], tasks[2])
    assert log == ["0", "2"]


async def test_who_waits_is_known() -> None:
    """A delivery behind another one waits inside what `Lanes` was given."""
    waiting: list[str] = []

    @contextmanager
    def noted() -> Iterator[None]:
        waiting.append("one")
        yield
        waiting.pop()

    lanes = Lanes(noted)

    async def pass_through() -> None:
        async with lanes.through(["a"]):
            assert len(waiting) < 2

    async with lanes.through(["a", "b"]):
        assert not waiting
        passing = [asyncio.create_task(pass_through()) for _ in range(2)]
        await asyncio.sleep(0)
        assert len(waiting) == 2
    await asyncio.gather(*passing)
    assert not waiting

"""Batches: what comes while one is under way makes up the next, and one bad item harms no other."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from bridge.batches import Pace, batching
from contracts.errors import PermanentError, TemporaryError


class Doubling:
    """Doubles numbers, refuses 13 for good and 7 for now, and keeps what it was given."""

    def __init__(self) -> None:
        self.given: list[list[int]] = []

    async def work(self, numbers: Sequence[int]) -> list[int]:
        self.given.append(list(numbers))
        await asyncio.sleep(0)
        if 13 in numbers:
            raise PermanentError("13")
        if 7 in numbers:
            raise TemporaryError("7")
        return [number * 2 for number in numbers]


async def test_batch_is_made_of_what_came_meanwhile() -> None:
    """The first goes alone; all that come while it is under way go together, a bounded number at once."""
    doubling = Doubling()
    async with batching(doubling.work, most=4) as batches:
        first = asyncio.create_task(batches.give(0))
        while not doubling.given:  # noqa: ASYNC110 - one turn of the loop, not time, is awaited
            await asyncio.sleep(0)
        assert await asyncio.gather(first, *(batches.give(number) for number in range(1, 7))) == [0, 2, 4, 6, 8, 10, 12]
    assert doubling.given == [[0], [1, 2, 3, 4], [5, 6]]


async def test_item_that_is_refused_harms_no_other() -> None:
    """A refused batch is carried out one by one; only the culprit has its error."""
    doubling = Doubling()
    async with batching(doubling.work) as batches:
        answers = await asyncio.gather(*(batches.give(number) for number in (1, 13, 2)), return_exceptions=True)
    assert answers[0] == 2
    assert isinstance(answers[1], PermanentError)
    assert answers[2] == 4


async def test_error_that_may_pass_is_told_to_all() -> None:
    """It says nothing about any one item."""
    doubling = Doubling()
    async with batching(doubling.work) as batches:
        answers = await asyncio.gather(*(batches.give(number) for number in (1, 7)), return_exceptions=True)
        assert [type(answer) for answer in answers] == [TemporaryError, TemporaryError]
        assert await batches.give(3) == 6


async def test_item_whose_asker_gave_up_is_left_out() -> None:
    """A cancelled request costs nothing, and the next batch is carried out."""
    doubling = Doubling()
    async with batching(doubling.work) as batches:
        first, gone = asyncio.create_task(batches.give(1)), asyncio.create_task(batches.give(2))
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        assert await first == 2
    assert doubling.given == [[1]]


async def test_paced_batches_begin_apart_unless_somebody_cannot_wait() -> None:
    """The first goes at once; the next waits, and takes along what comes meanwhile, until it is time, somebody presses,
    or enough has come."""
    doubling, pace = Doubling(), Pace(timedelta(hours=1))
    async with batching(doubling.work, pace=pace) as batches:
        assert await batches.give(1) == 2
        waiting = [asyncio.create_task(batches.give(number)) for number in (2, 3)]
        _, pending = await asyncio.wait(waiting, timeout=0.05)
        assert len(pending) == 2
        with pace.pressed():
            assert await asyncio.gather(*waiting) == [4, 6]
        many = range(20, 40)
        assert await asyncio.gather(*map(batches.give, many)) == [2 * number for number in many]
    assert doubling.given == [[1], [2, 3], [*many]]

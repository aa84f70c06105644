"""Chores: what fails is begun again, what is a bug is told, and a stop does not wait for ever."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bridge.chores import Chore, doing
from contracts.errors import ServiceUnreachableError
from store.errors import StatementRefusedError
from tests.support.waiting import PATIENCE_SECONDS

PATIENCE = timedelta(seconds=10)
SHORT = timedelta(milliseconds=50)


async def _until_told(stop: asyncio.Event) -> None:
    await stop.wait()


class _Once:
    """A chore that is in trouble the first time; `fine` is set when it is begun again."""

    def __init__(self, trouble: BaseException | None) -> None:
        self.trouble, self.begun = trouble, 0
        self.fine = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        self.begun += 1
        if self.begun == 1:
            if self.trouble is not None:
                raise self.trouble
            return
        self.fine.set()
        await stop.wait()


@pytest.mark.parametrize(
    "trouble",
    [
        ServiceUnreachableError("RabbitMQ", "nowhere", "start it"),
        StatementRefusedError("read-only"),
        asyncio.CancelledError(),
        None,
    ],
    ids=["away", "refused", "cancelled by a library", "ended by itself"],
)
async def test_chore_is_begun_again_after_trouble(trouble: BaseException | None) -> None:
    """Whatever ended it, but a bug: no other chore notices."""
    once = _Once(trouble)
    async with asyncio.timeout(PATIENCE_SECONDS), doing({"once": once.run, "other": _until_told}, PATIENCE) as watching:
        await once.fine.wait()
        assert not watching.done()
    assert once.begun == 2


async def test_chore_that_is_always_in_trouble_leaves_time_to_the_others() -> None:
    """A pause follows each failure, also one that is no error: nothing spins."""
    begun = 0

    async def cancelled(stop: asyncio.Event) -> None:
        nonlocal begun
        begun += 1
        raise asyncio.CancelledError

    async with asyncio.timeout(PATIENCE_SECONDS), doing({"cancelled": cancelled, "other": _until_told}, PATIENCE):
        for _ in range(1000):
            await asyncio.sleep(0)
    assert begun <= 2


async def test_chore_with_a_bug_is_told_and_the_others_are_ended() -> None:
    """The error comes out of the future, and nothing of the chores is left behind."""
    ended = asyncio.Event()

    async def broken(stop: asyncio.Event) -> None:
        raise ValueError("planned")

    async def other(stop: asyncio.Event) -> None:
        await stop.wait()
        ended.set()

    async with asyncio.timeout(PATIENCE_SECONDS), doing({"broken": broken, "other": other}, PATIENCE) as watching:
        with pytest.raises(ValueError, match="planned"):
            await watching
        assert not ended.is_set()
    assert ended.is_set()


async def test_chore_that_fails_while_it_stops_is_nobodys_business() -> None:
    """The block ends without its error, and without one that was never asked for."""

    async def late(stop: asyncio.Event) -> None:
        await stop.wait()
        raise ValueError("planned")

    async with asyncio.timeout(PATIENCE_SECONDS), doing({"late": late}, PATIENCE):
        pass


@pytest.mark.parametrize("deaf", [True, False], ids=["waits for what is away", "is cancelled in its pause"])
async def test_chore_that_does_not_end_is_cut_off(*, deaf: bool) -> None:
    """A stop waits for its patience, no longer."""
    cut = asyncio.Event()

    async def waits(stop: asyncio.Event) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cut.set()

    async def fails(stop: asyncio.Event) -> None:
        cut.set()
        raise ServiceUnreachableError("PostgreSQL", "nowhere", "start it")

    chores: dict[str, Chore] = {"stubborn": waits if deaf else fails}
    async with asyncio.timeout(PATIENCE_SECONDS):
        async with doing(chores, SHORT):
            await asyncio.sleep(0)
        assert cut.is_set()

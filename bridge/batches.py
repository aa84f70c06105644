"""Many small requests made one statement: what comes while one is under way makes up the next.

A lone event pays one round trip and waits for nobody; a thousand at once share a few. Where a statement waits for the
disk, a pace says how far apart they begin at least, so that who else needs the disk (Temporal, the broker) has it
meanwhile. One item that the database refuses must not take its neighbours down: a refused batch is carried out again
one by one, so that only the culprit has its error.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from typing import Generic, TypeVar

from contracts.errors import PermanentError

T = TypeVar("T")
R = TypeVar("R")
Work = Callable[[Sequence[T]], Awaitable[Sequence[R]]]
_ENOUGH = 20
_Entry = tuple[T, "asyncio.Future[R]"]


class Pace:
    """How far apart batches begin, unless somebody cannot wait for that, or enough has come."""

    def __init__(self, apart: timedelta = timedelta(0)) -> None:
        """Let the first begin at once."""
        self._seconds, self._next = apart.total_seconds(), 0.0
        self._now, self._pressing = asyncio.Event(), 0

    @contextmanager
    def pressed(self) -> Iterator[None]:
        """Let batches begin at once inside the block."""
        self._pressing += 1
        self._now.set()
        try:
            yield
        finally:
            self._pressing -= 1
            if not self._pressing:
                self._now.clear()

    def suffices(self) -> None:
        """Let the next batch begin at once."""
        self._now.set()

    async def step(self) -> None:
        """Wait until the next may begin."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._next):
                await self._now.wait()
        self._next = asyncio.get_running_loop().time() + self._seconds
        if not self._pressing:
            self._now.clear()


class Batches(Generic[T, R]):
    """Hands items to `work` in batches; made by `batching`."""

    def __init__(self, work: Work[T, R], most: int, pace: Pace) -> None:
        self._work, self._most, self._pace = work, most, pace
        self._waiting: list[_Entry[T, R]] = []
        self._some = asyncio.Event()

    async def give(self, item: T) -> R:
        """Return what `work` makes of this item; raises what it raises for it."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        self._some.set()
        if len(self._waiting) >= _ENOUGH:
            self._pace.suffices()
        return await answer

    async def run(self) -> None:
        """Carry out batch after batch, until cancelled."""
        while True:
            await self._some.wait()
            await self._pace.step()
            await self._carry_out(self._next())

    def _next(self) -> list[_Entry[T, R]]:
        """Take what waits, without those whose askers gave up."""
        batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        if not self._waiting:
            self._some.clear()
        return [entry for entry in batch if not entry[1].done()]

    async def _carry_out(self, batch: list[_Entry[T, R]]) -> None:
        if not batch:
            return
        try:
            results = await self._work([item for item, _ in batch])
        except PermanentError as error:
            await self._one_by_one(batch, error)
        except Exception as error:
            _answer_all(batch, error)
        else:
            for (_, answer), result in zip(batch, results, strict=True):
                _answer(answer, result)

    async def _one_by_one(self, batch: list[_Entry[T, R]], error: PermanentError) -> None:
        if len(batch) == 1:
            _answer_all(batch, error)
            return
        for entry in batch:
            await self._carry_out([entry])


@asynccontextmanager
async def batching(work: Work[T, R], most: int = 500, pace: Pace | None = None) -> AsyncIterator[Batches[T, R]]:
    """Carry out batches of at most `most` items inside the block; `work` gives a result for each item, in order."""
    batches = Batches(work, most, pace or Pace())
    running = asyncio.create_task(batches.run())
    try:
        yield batches
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


def _answer(answer: asyncio.Future[R], result: R) -> None:
    if not answer.done():
        answer.set_result(result)


def _answer_all(batch: list[_Entry[T, R]], error: Exception) -> None:
    for _, answer in batch:
        if not answer.done():
            answer.set_exception(error)

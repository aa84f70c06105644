"""One at a time for each name: what concerns the same workflow id is dispatched in the order in which it came.

Without this, a run's start and the signal that was published right after it would race, and the signal would find
no run. A delivery enters all its lanes at once and before its first await, so that two deliveries with two runs in
common cannot wait for each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext


class Lanes:
    """The tail of each lane that somebody is in."""

    def __init__(self, while_waiting: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        """Begin with empty lanes; whoever waits for somebody ahead does it inside `while_waiting`."""
        self._tails: dict[str, asyncio.Future[None]] = {}
        self._while_waiting = while_waiting

    @asynccontextmanager
    async def through(self, names: Iterable[str]) -> AsyncIterator[None]:
        """Hold the lanes inside the block; who entered them earlier goes first."""
        wanted = tuple(names)
        ahead = [self._tails[name] for name in wanted if name in self._tails]
        mine = asyncio.get_running_loop().create_future()
        self._tails.update(dict.fromkeys(wanted, mine))
        try:
            if ahead:
                await self._wait_for(ahead)
            yield
        finally:
            self._leave(wanted, mine, ahead)

    async def _wait_for(self, ahead: list[asyncio.Future[None]]) -> None:
        with self._while_waiting():
            for tail in ahead:
                await asyncio.shield(tail)

    def _leave(self, names: tuple[str, ...], mine: asyncio.Future[None], ahead: list[asyncio.Future[None]]) -> None:
        """Open the way for who comes next; if we were cancelled while waiting, only once those ahead are through."""
        waiting = [tail for tail in ahead if not tail.done()]
        if waiting:
            waiting[0].add_done_callback(lambda _: self._leave(names, mine, waiting[1:]))
            return
        mine.set_result(None)
        for name in names:
            if self._tails.get(name) is mine:
                del self._tails[name]

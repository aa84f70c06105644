"""Who may ask Temporal next, when more want to than may at once: classes of priority in turn, by weight.

While a slot is free nobody waits. When none is, the next goes to the class whose share is furthest behind (smooth
weighted round robin), so a high class overtakes and the lowest still moves. Within a class it is first come, first
served.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager


class Slots:
    """A bounded number of slots, shared by weight."""

    def __init__(self, total: int, weights: Mapping[str, int]) -> None:
        """Begin with all free.

        Args:
            total: Slots in all.
            weights: Share of each class among those that wait, at least 1.
        """
        self._free = total
        self._weights = dict(weights)
        self._credit = dict.fromkeys(weights, 0)
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {name: deque() for name in weights}

    @asynccontextmanager
    async def one(self, name: str) -> AsyncIterator[None]:
        """Hold a slot of this class inside the block."""
        await self._take(name)
        try:
            yield
        finally:
            self._give_back()

    async def _take(self, name: str) -> None:
        if self._free > 0:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting[name].append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            self._withdraw(name, turn)
            raise

    def _withdraw(self, name: str, turn: asyncio.Future[None]) -> None:
        if turn in self._waiting[name]:
            self._waiting[name].remove(turn)
        elif not turn.cancelled():
            self._give_back()

    def _give_back(self) -> None:
        name = self._next()
        if name is None:
            self._free += 1
        else:
            self._waiting[name].popleft().set_result(None)

    def _next(self) -> str | None:
        for line in self._waiting.values():
            while line and line[0].done():  # its asker was cancelled and does not know it yet
                line.popleft()
        waiting = [name for name, line in self._waiting.items() if line]
        if not waiting:
            return None
        for name in waiting:
            self._credit[name] += self._weights[name]
        chosen = max(waiting, key=lambda name: self._credit[name])
        self._credit[chosen] -= sum(self._weights[name] for name in waiting)
        return chosen

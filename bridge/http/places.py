"""The places of the deliveries in hand, and who has to leave when all are taken.

A body that comes byte by byte holds a place for as long as a body may take, and costs its sender nothing. So once there
is no place left, the delivery that has waited longest for its body is cut: an honest body takes milliseconds, and a
hostile one then keeps out nobody. What has arrived keeps its place, and while only such are in hand the next is told to
come again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta

from bridge.http.errors import IntakeBusyError


class Places:
    """A limited number of places."""

    def __init__(self, most: int, grace: timedelta) -> None:
        """Take how many there are, and how long a body may take in any case."""
        self._free, self._grace = most, grace.total_seconds()
        self._reading: dict[asyncio.Timeout, float] = {}

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold a place inside the block.

        Raises:
            IntakeBusyError: There is none, and nobody who could leave.
        """
        if self._free <= 0 and not self._cut_the_slowest():
            raise IntakeBusyError
        # Below zero for a moment: who was cut gives the place back when its task runs next.
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1

    @asynccontextmanager
    async def reading(self, patience: timedelta) -> AsyncIterator[None]:
        """Read a body inside the block.

        Raises:
            TimeoutError: It took longer than `patience`, or its place was needed.
        """
        async with asyncio.timeout(patience.total_seconds()) as limit:
            self._reading[limit] = asyncio.get_running_loop().time()
            try:
                yield
            finally:
                self._reading.pop(limit, None)

    def _cut_the_slowest(self) -> bool:
        now = asyncio.get_running_loop().time()
        limit, since = next(iter(self._reading.items()), (None, now))
        if limit is None or now - since < self._grace:
            return False
        del self._reading[limit]  # at once, so that the next who comes cuts another
        limit.reschedule(now)
        return True

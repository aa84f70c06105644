"""A circuit breaker before Temporal: while it is away, one delivery at a time asks for it.

There is no queue of its own: what waits here are deliveries in hand, unacknowledged, and the prefetch limit keeps
the broker from sending more. That is the pause; nothing is handed back, so nothing loses its place and nothing
spins between broker and bridge.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

import structlog

from bridge.backoff import delay_seconds
from contracts.errors import ServiceUnreachableError

T = TypeVar("T")
_log = structlog.get_logger("bridge")


class Breaker:
    """Closed while the service answers; open after it did not, until one probe succeeds."""

    def __init__(self, longest: timedelta) -> None:
        """Begin closed; `longest` limits the delay between probes."""
        self._longest = longest
        self._failures = 0
        self._answers = 0
        self._probing = asyncio.Lock()

    @property
    def is_open(self) -> bool:
        """Whether the service is known to be away."""
        return self._failures > 0

    async def protect(self, work: Callable[[], Awaitable[T]]) -> T:
        """Return what `work` gives, once the service answers; `work` may be called often, so it must be idempotent.

        Those that wait probe in turn, so that one request that the service cannot stomach does not hold up the others.

        Raises:
            ServiceUnreachableError: The service fails this request, and answered others since its last try.
            Exception: Whatever else `work` raises.
        """
        answers = None
        while True:
            try:
                return await self._turn(work)
            except ServiceUnreachableError:
                if answers not in (None, self._answers):
                    raise
                answers = self._answers

    async def _turn(self, work: Callable[[], Awaitable[T]]) -> T:
        if self._failures == 0:
            return await self._try(work)
        async with self._probing:
            if self._failures > 0:
                await asyncio.sleep(delay_seconds(self._failures, self._longest))
                return await self._try(work, probe=True)
        return await self._try(work)

    async def _try(self, work: Callable[[], Awaitable[T]], *, probe: bool = False) -> T:
        try:
            result = await work()
        except ServiceUnreachableError as error:
            self._failed(error, probe=probe)
            raise
        except Exception:
            self._answered()
            raise
        self._answered()
        return result

    def _failed(self, error: ServiceUnreachableError, *, probe: bool) -> None:
        if not self.is_open:
            _log.warning("service_lost", service=error.service, address=error.address, error=error.detail)
        self._failures = self._failures + 1 if probe else max(self._failures, 1)

    def _answered(self) -> None:
        if self.is_open:
            _log.info("service_found", tries=self._failures)
        self._answers += 1
        self._failures = 0

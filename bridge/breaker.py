"""A circuit breaker before a service: while it is away, one request at a time asks for it.

There is no queue of its own: what waits here are deliveries in hand, unacknowledged, and the prefetch limit keeps
the broker from sending more. That is the pause; nothing is handed back, so nothing loses its place and nothing
spins between broker and bridge.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Literal, TypeVar

import structlog

from bridge.backoff import delay_seconds
from bridge.errors import SessionLostError
from contracts.errors import SagaError, ServiceUnreachableError

T = TypeVar("T")
BreakerState = Literal["closed", "half-open", "open"]
_log = structlog.get_logger("bridge")


class Breaker:
    """Closed while the service answers; open after it did not, half open while a probe asks, until one succeeds."""

    def __init__(
        self, service: str, longest: timedelta, away: tuple[type[SagaError], ...] = (ServiceUnreachableError,)
    ) -> None:
        """Begin closed.

        Args:
            service: Its name, for people.
            longest: Upper limit of the delay between probes.
            away: The errors that say that it is away; any other answer says that it is there.
        """
        self._service, self._longest, self._away = service, longest, away
        self._failures = 0
        self._answers = 0
        self._asking = False
        self._probing = asyncio.Lock()

    @property
    def state(self) -> BreakerState:
        """How it stands now."""
        if self._failures == 0:
            return "closed"
        return "half-open" if self._asking else "open"

    @property
    def is_open(self) -> bool:
        """Whether the service is known to be away."""
        return self._failures > 0

    async def protect(self, work: Callable[[], Awaitable[T]]) -> T:
        """Return what `work` gives, once the service answers; `work` may be called often, so it must be idempotent.

        It must not wait for what is behind the same breaker: while it probes, nobody else does.

        Those that wait probe in turn, so that one request that the service cannot stomach does not hold up the others.

        Raises:
            SagaError: The service is away for this request, and answered others since its last try.
            Exception: Whatever else `work` raises.
        """
        answers = None
        while True:
            try:
                return await self._turn(work)
            except self._away:
                if answers not in (None, self._answers):
                    raise
                answers = self._answers

    async def _turn(self, work: Callable[[], Awaitable[T]]) -> T:
        if self._failures == 0:
            return await self._try(work)
        async with self._probing:
            if self._failures > 0:
                await asyncio.sleep(delay_seconds(self._failures, self._longest))
                return await self._probe(work)
        return await self._try(work)

    async def _probe(self, work: Callable[[], Awaitable[T]]) -> T:
        self._asking = True
        try:
            return await self._try(work, probe=True)
        finally:
            self._asking = False

    async def _try(self, work: Callable[[], Awaitable[T]], *, probe: bool = False) -> T:
        try:
            result = await work()
        except self._away as error:
            self._failed(error, probe=probe)
            raise
        except SessionLostError:
            raise  # the service was not even asked
        except Exception:
            self._answered()
            raise
        self._answered()
        return result

    def _failed(self, error: SagaError, *, probe: bool) -> None:
        if not self.is_open:
            _log.warning("service_lost", service=self._service, error=error.detail)
        self._failures = self._failures + 1 if probe else max(self._failures, 1)

    def _answered(self) -> None:
        if self.is_open:
            _log.info("service_found", service=self._service, tries=self._failures)
        self._answers += 1
        self._failures = 0

"""Keeps one consuming session alive, and is the circuit breaker towards the broker.

A session is built from the top each time: connect, declare, consume. So a restarted broker, a deleted queue and a
cut connection are one case. What cannot get better by trying (a queue with other properties) ends the bridge with a
plain error, at start and later. The breaker is closed while a session is up, open while the next try is waited for,
half open while it is made.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from bridge.amqp.consumer import Stations, consume
from bridge.amqp.sharing import Broker
from bridge.amqp.topology import declare_queues
from bridge.backoff import delay_seconds
from bridge.breaker import BreakerState
from bridge.errors import BrokerRefusedError, SessionLostError
from bridge.membership import Membership
from bridge.settings import BridgeSettings
from contracts.errors import SagaError, ServiceUnreachableError

_HEALTHY_SECONDS = 30.0
_TRIES_AT_START = 3
"""A node that restarts just then, a queue that is elected anew: what passes is no reason not to start."""

_log = structlog.get_logger("bridge")


class Supervisor:
    """Supervises the session of one bridge."""

    def __init__(self, broker: Broker, settings: BridgeSettings, stations: Stations, membership: Membership) -> None:
        """Begin nothing yet."""
        self._broker, self._settings, self._stations = broker, settings, stations
        self._membership = membership
        self._in_hand: set[asyncio.Future[None]] = set()
        self._stop = asyncio.Event()
        self._connecting = True
        self.consuming = asyncio.Event()
        """Set while a session is up."""

    @property
    def state(self) -> BreakerState:
        """How it stands with the broker."""
        if self.consuming.is_set():
            return "closed"
        return "half-open" if self._connecting else "open"

    @property
    def in_hand(self) -> int:
        """How many deliveries are in hand."""
        return len(self._in_hand)

    def stop(self) -> None:
        """Let the session finish what it has in hand, and begin no other."""
        self._stop.set()

    async def run(self) -> None:
        """Keep a session alive until `stop`.

        Raises:
            SagaError: The first session did not come up, or one cannot come up any more.
        """
        failures, opened = 0, False
        clock = asyncio.get_running_loop().time
        while not self._stop.is_set():
            began, self._connecting = clock(), True
            try:
                await self._session()
            except (ServiceUnreachableError, SessionLostError, BrokerRefusedError) as error:
                opened = opened or self.consuming.is_set()
                if not opened and (failures >= _TRIES_AT_START or not isinstance(error, SessionLostError)):
                    raise
                failures = 1 if clock() - began > _HEALTHY_SECONDS else failures + 1
                await self._pause(failures, error)

    async def _session(self) -> None:
        settings = self._settings
        await declare_queues(await self._broker.consuming.opened(), settings)
        stations, ready = self._stations, self.consuming.set
        await consume(self._broker, settings, stations, self._membership, self._in_hand, ready, self._stop)

    async def _pause(self, failures: int, error: SagaError) -> None:
        self.consuming.clear()
        self._connecting = False
        _log.warning("session_lost", error=str(error), failures=failures)
        with suppress(TimeoutError):
            async with asyncio.timeout(delay_seconds(failures, self._settings.longest_reconnect)):
                await self._stop.wait()

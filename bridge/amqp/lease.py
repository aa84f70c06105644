"""Whether what is in hand is still ours.

The broker gives the deliveries of a process that it hears nothing from to the next bridge, and a process that was
stopped, or whose machine slept, does not know that when it wakes. The frames that it then finds in its sockets are of
no help: they may have been sent long ago. So a lease counts from a question of ours that the broker answered: it heard
us after we began to ask, and takes nothing away before a whole heartbeat of silence has passed. While the last such
question is too old, whoever is about to do something waits for the next answer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from aio_pika.abc import AbstractConnection

from bridge.errors import SessionLostError

_DEFAULT_HEARTBEAT_SECONDS = 15.0
"""Where heartbeats are switched off, the broker gives nothing away for silence; it does for a connection that broke."""

_LASTS: Final = 0.8
"""Of a heartbeat; the rest is for clocks that differ and for what is on its way."""

_AT_LEAST: Final = 0.3
"""Of a heartbeat: with less than that left nothing is begun."""

_APART: Final = 0.15
"""Of a heartbeat: between two questions."""

_PATIENCE = 3.0
"""Heartbeats that an answer may take; meanwhile nothing is done."""


def boottime() -> float:
    """Return seconds that go on while the process is stopped and while the machine sleeps."""
    # CLOCK_MONOTONIC stands still while a Linux machine is suspended.
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class ConnectionLease:
    """For how long the deliveries of one connection are certainly ours."""

    def __init__(self, heartbeat: timedelta, clock: Callable[[], float] = boottime) -> None:
        """Begin with nothing known; `clock` gives seconds."""
        self._heartbeat_seconds = heartbeat.total_seconds()
        self._clock = clock
        self._until = float("-inf")
        self._ended = False
        self._news = asyncio.Event()

    async def left(self) -> timedelta:
        """Return how long it still lasts, enough to begin something; waits for the broker while that is in doubt.

        Raises:
            SessionLostError: The session is over.
        """
        # Whoever waited looks at the clock again: the process may have been stopped between the answer and now.
        while not self._ended and (left := self._until - self._clock()) < _AT_LEAST * self._heartbeat_seconds:
            self._news.clear()
            await self._news.wait()
        if self._ended:
            raise SessionLostError("The broker has given our deliveries to others, or is about to.")
        return timedelta(seconds=left)

    def end(self) -> None:
        """Nothing of this connection is ours any more."""
        self._ended = True
        self._news.set()

    async def keep(self, ask: Callable[[], Awaitable[object]]) -> None:
        """Ask the broker again and again, until cancelled.

        Args:
            ask: Asks on the connection, and returns with the answer.

        Raises:
            SessionLostError: It did not answer.
        """
        while True:
            asked_at = self._clock()
            try:
                async with asyncio.timeout(_PATIENCE * self._heartbeat_seconds):
                    await ask()
            except TimeoutError as error:
                raise SessionLostError("The broker does not answer on a connection that seems to be open.") from error
            self._until = asked_at + _LASTS * self._heartbeat_seconds
            self._news.set()
            await asyncio.sleep(_APART * self._heartbeat_seconds)


def heartbeat_of(connection: AbstractConnection) -> timedelta:
    """Return after how much silence the broker may drop a connection, at the earliest."""
    transport = connection.transport
    # aiormq's own class has it, the one that aio-pika declares has not.
    agreed = 0 if transport is None else getattr(transport.connection, "heartbeat_timeout", 0)
    return timedelta(seconds=agreed or _DEFAULT_HEARTBEAT_SECONDS)

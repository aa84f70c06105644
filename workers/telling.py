"""The way of lifecycle events to the outbox: a bounded queue that any thread may fill, and one writer.

A workflow task must never wait for PostgreSQL. While it is away the queue grows to its bound, and what does not fit
is counted and given up; a run neither slows down nor stops.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, Protocol

import structlog

from contracts.envelope import Event
from contracts.errors import PermanentError, TemporaryError
from store.database import Database
from store.outbox import add_many

MOST_WAITING: Final = 20_000
_BATCH: Final = 200
_FIRST_SECONDS: Final = 0.25
_LONGEST_SECONDS: Final = 10.0
_log = structlog.get_logger("worker")


class Tally(Protocol):
    """Counts what became of events."""

    def lifecycle_written(self, events: int) -> None:
        """Count events that are safe."""

    def lifecycle_dropped(self, events: int) -> None:
        """Count events that were given up."""


class EventQueue:
    """Events that wait for the writer, at most so many."""

    def __init__(self, tally: Tally, limit: int = MOST_WAITING) -> None:
        """Hold at most `limit` events."""
        self._tally, self._limit = tally, limit
        self._lock = threading.Lock()
        self._events: deque[Event] = deque()
        self._wake: Callable[[], None] | None = None

    def put(self, event: Event) -> None:
        """Queue `event`, from any thread and at once; one that does not fit is given up and counted."""
        with self._lock:
            fits = len(self._events) < self._limit
            if fits:
                self._events.append(event)
            wake = self._wake
        if not fits:
            self._tally.lifecycle_dropped(1)
        elif wake is not None:
            wake()

    def first(self, count: int) -> list[Event]:
        """Take out the first events, at most `count`."""
        with self._lock:
            return [self._events.popleft() for _ in range(min(count, len(self._events)))]

    def on_put(self, wake: Callable[[], None] | None) -> None:
        """Call `wake`, from any thread, when there is something."""
        with self._lock:
            self._wake = wake


class OutboxWriter:
    """Writes what is queued to the outbox; `run` is one chore of a worker."""

    def __init__(self, database: Database, queue: EventQueue, tally: Tally, published: Callable[[], None]) -> None:
        """Write to `database`, and call `published` after each batch: a relay need not look by itself."""
        self._database, self._queue, self._tally, self._published = database, queue, tally, published

    async def run(self, stop: asyncio.Event) -> None:
        """Write until `stop`, and then what is queued still, unless the database is away."""
        some, loop = asyncio.Event(), asyncio.get_running_loop()
        self._queue.on_put(lambda: _awake(loop, some))
        try:
            while not stop.is_set():
                some.clear()
                await self._write_all(stop)
                await _first(some, stop)
            await self._write_all(stop)
        finally:
            self._queue.on_put(None)

    async def _write_all(self, stop: asyncio.Event) -> None:
        while events := self._queue.first(_BATCH):
            await self._write(events, stop)

    async def _write(self, events: Sequence[Event], stop: asyncio.Event) -> None:
        failures = 0
        while True:
            try:
                async with self._database.transaction() as session:
                    await add_many(session, events, again=failures > 0)
            except TemporaryError as error:
                failures += 1
                _log.warning("lifecycle_delayed", events=len(events), error=str(error), failures=failures)
                if stop.is_set():
                    self._give_up(events, error)
                    return
                await _pause(failures, stop)
            except PermanentError as error:
                await self._write_apart(events, stop, error)
                return
            else:
                self._tally.lifecycle_written(len(events))
                self._published()
                return

    async def _write_apart(self, events: Sequence[Event], stop: asyncio.Event, error: PermanentError) -> None:
        """One that cannot be written must not hold up the others."""
        if len(events) == 1:
            self._give_up(events, error)
            return
        for event in events:
            await self._write([event], stop)

    def _give_up(self, events: Sequence[Event], error: Exception) -> None:
        self._tally.lifecycle_dropped(len(events))
        _log.error("lifecycle_dropped", events=len(events), error=str(error))


def _awake(loop: asyncio.AbstractEventLoop, some: asyncio.Event) -> None:
    # A loop that is closed needs nothing any more.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(some.set)


async def _first(some: asyncio.Event, stop: asyncio.Event) -> None:
    waiting = {asyncio.ensure_future(event.wait()) for event in (some, stop)}
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


async def _pause(failures: int, stop: asyncio.Event) -> None:
    longest = min(_FIRST_SECONDS * 2.0 ** min(failures - 1, 10), _LONGEST_SECONDS)
    with suppress(TimeoutError):
        async with asyncio.timeout(longest * (1 - random.random() / 2)):  # noqa: S311 - spreads load, guards nothing
            await stop.wait()

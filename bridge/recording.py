"""The event log as the bridge uses it: recorded before anything is done, marked after all is done.

Recording does not wait for the disk, because the message is still unacknowledged; marking does, and so flushes the
record too, or finds that a crash of PostgreSQL has lost it and has it written again. While PostgreSQL is away both
wait behind one breaker, with the deliveries in hand.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

import structlog

from bridge.backoff import delay_seconds
from bridge.batches import Batches, Pace, batching
from bridge.breaker import Breaker
from bridge.known_replays import KnownReplays, knowing_replays
from bridge.topology.names import RETRY_DELAYS
from contracts.json import Json
from store import dead_letters, event_log
from store.database import Database
from store.dead_letters import RetryOutcome
from store.errors import StatementRefusedError, TransactionConflictError
from store.event_log import Arrival, Mark, Verdict
from store.replays import known_replays

T = TypeVar("T")
_TRIES = 10
_LONGEST_PAUSE = timedelta(seconds=2)
_LONGEST_WAIT = timedelta(seconds=30)
_REFUSED_AT_MOST = timedelta(hours=4)
_log = structlog.get_logger("bridge")


def _unheard(_: str) -> None:
    """Nobody counts."""


async def persistently(work: Callable[[], Awaitable[T]]) -> T:
    """Return what `work` gives, again where another transaction was in its way; it must be idempotent.

    Raises:
        TransactionConflictError: One was so many times.
    """
    for failures in range(1, _TRIES):
        try:
            return await work()
        except TransactionConflictError:
            await asyncio.sleep(delay_seconds(failures, _LONGEST_PAUSE))
    return await work()


@dataclass
class Recording:
    """Records and marks; made by `recording`.

    What PostgreSQL refuses is no fault of the event's, so it is written again, with growing delays and an alarm each
    time, and the delivery waits in hand.
    """

    database: Database
    breaker: Breaker
    arrivals: Batches[Arrival, Verdict]
    marks: Batches[Mark, bool]
    replays: KnownReplays
    notes: Batches[RetryOutcome, None]
    alarm: Callable[[str], None]
    recorded: int = 0

    async def record(self, arrival: Arrival) -> Verdict:
        """Record an event, and tell whether it was here before.

        Raises:
            StatementRefusedError: It was refused for hours, and others were taken meanwhile.
        """
        clock = asyncio.get_running_loop().time
        began, before = clock(), self.recorded
        failures = 0
        while True:
            try:
                verdict = await self.arrivals.give(arrival)
            except StatementRefusedError as error:
                if clock() - began > _REFUSED_AT_MOST.total_seconds() and self.recorded > before:
                    raise
                failures += 1
                await self._after(error, failures)
            else:
                self.recorded += 1
                return verdict

    async def mark(self, mark: Mark, arrival: Arrival | None = None) -> None:
        """Note what became of an event; returns when it is on disk.

        Args:
            mark: What became of it.
            arrival: Recorded once more where PostgreSQL crashed before the record was on disk.
        """
        while not await self._at_last(lambda: self.marks.give(mark)) and arrival is not None:
            await self.record(arrival)

    async def note(self, outcome: RetryOutcome) -> None:
        """Write beside a dead letter what became of its retry."""
        await self.notes.give(outcome)

    async def delay(self, arrival: Arrival, level: int, effects: Mapping[str, Json]) -> None:
        """Note that an event will come back, so that later ones with its key stay behind it, and what it did so far."""

        async def delay() -> bool:
            key = arrival.group_key or arrival.event.identity
            return await event_log.delay(self.database, arrival.event.identity, key, RETRY_DELAYS[level], effects)

        while not await self._at_last(lambda: self.breaker.protect(lambda: persistently(delay))):
            await self.record(arrival)

    async def _at_last(self, work: Callable[[], Awaitable[bool]]) -> bool:
        failures = 0
        while True:
            try:
                return await work()
            except StatementRefusedError as error:
                failures += 1
                await self._after(error, failures)

    async def _after(self, error: StatementRefusedError, failures: int) -> None:
        self.alarm(error.code)
        _log.error("store_refused", error=str(error), failures=failures)
        await asyncio.sleep(delay_seconds(failures, _LONGEST_WAIT))


@asynccontextmanager
async def recording(
    database: Database,
    breaker: Breaker,
    window: timedelta,
    pace: Pace | None = None,
    alarm: Callable[[str], None] = _unheard,
) -> AsyncIterator[Recording]:
    """Record and mark inside the block.

    Args:
        database: The store.
        breaker: Waits while the store is away.
        window: How long an id is remembered.
        pace: How far apart marks are written, each of which waits for the disk.
        alarm: Told the code of each refusal.
    """

    async def record(arrivals: Sequence[Arrival]) -> Sequence[Verdict]:
        return await breaker.protect(lambda: persistently(lambda: event_log.record(database, arrivals, window)))

    async def mark(marks: Sequence[Mark]) -> Sequence[bool]:
        return await breaker.protect(lambda: persistently(lambda: event_log.mark(database, marks)))

    async def find(ids: Sequence[UUID]) -> Mapping[UUID, bool]:
        return await breaker.protect(lambda: known_replays(database, ids))

    async def note(outcomes: Sequence[RetryOutcome]) -> Sequence[None]:
        await breaker.protect(lambda: persistently(lambda: dead_letters.note(database, outcomes)))
        return [None] * len(outcomes)

    async with (
        batching(record) as arrivals,
        batching(mark, pace=pace) as marks,
        knowing_replays(find) as replays,
        batching(note) as notes,
    ):
        yield Recording(database, breaker, arrivals, marks, replays, notes, alarm)

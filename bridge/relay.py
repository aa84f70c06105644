"""The relay: publishes what waits in the outbox, and removes what the broker has confirmed.

It takes a shard at a time, in one transaction that holds the shard: read the first rows, publish, remove, commit. A
crash between publishing and commit is a repetition with the same ids, never a loss. Events of one key go one after
the other, each after the confirm of the one before, so that a refusal cannot let a later one overtake; different keys
are in flight together on one channel.

While the broker or PostgreSQL is away the relay waits with growing delays. An event that can never be published is
parked, with its reason: it holds up nothing and is not forgotten. What concerns all events alike (a password, an
exchange of another type) parks nothing; it is waited for like an outage.

PostgreSQL tells nobody that a row was written, so an idle relay looks again, at least twice a second; `wake` saves a
writer in the same process the wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from bridge.backoff import delay_seconds
from bridge.errors import EventTooLargeError, PublishUnconfirmedError, UnroutableEventError
from contracts.errors import SagaError
from contracts.ports import EventPublisher, UnfitEventError
from store.database import Database
from store.outbox import Claim, OutboxRow, claimed, waiting_shards

_NEVER: Final = (EventTooLargeError, UnfitEventError, UnroutableEventError)
"""What says that this event, and no other, can never be published."""

_LONGEST: Final = timedelta(seconds=30)
_LONGEST_IDLE: Final = timedelta(milliseconds=500)
_AT_ONCE: Final = 4
"""Shards in work together; each holds a connection to PostgreSQL."""

_log = structlog.get_logger("relay")


@dataclass(frozen=True, slots=True)
class Relayed:
    """What became of the first rows of a shard.

    Attributes:
        confirmed: Rows that the broker has.
        parked: Rows that were put aside, with the reason.
        refused: Rows that the broker did not take this time.
        failure: Why it stopped before the end, if it did.
    """

    confirmed: tuple[OutboxRow, ...] = ()
    parked: tuple[tuple[OutboxRow, str], ...] = ()
    refused: tuple[OutboxRow, ...] = ()
    failure: SagaError | None = None

    @property
    def moved(self) -> bool:
        """Tell whether the shard is shorter now."""
        return bool(self.confirmed or self.parked)


def joined(parts: Iterable[Relayed]) -> Relayed:
    """Return several as one; the first failure counts."""
    parts = tuple(parts)
    return Relayed(
        tuple(row for part in parts for row in part.confirmed),
        tuple(row for part in parts for row in part.parked),
        tuple(row for part in parts for row in part.refused),
        next((part.failure for part in parts if part.failure is not None), None),
    )


class Relay:
    """Publishes from the outbox; any number may run, in any processes."""

    def __init__(
        self,
        database: Database,
        publisher: EventPublisher,
        *,
        reached: Callable[[str], None] | None = None,
        told: Callable[[Relayed], None] | None = None,
        longest: timedelta = _LONGEST,
    ) -> None:
        """Begin nothing yet.

        Args:
            database: Where the outbox is.
            publisher: Confirms what it publishes; one that writes to the outbox would go in a circle.
            reached: Told the name of the crash point: after-publish.
            told: Told what became of the rows of a shard, once that is committed. Must not block.
            longest: Upper limit of the delay between tries while something is away.
        """
        self._database, self._publisher, self._longest = database, publisher, longest
        self._reached, self._told = reached or _pass, told or _pass
        self._woken = asyncio.Event()
        self._failures = 0

    @property
    def is_waiting(self) -> bool:
        """Whether the broker or PostgreSQL is known to be away."""
        return self._failures > 0

    def wake(self) -> None:
        """Say that something was written, so that it is published at once."""
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Publish what is in the outbox and what comes, until `stop` is set; what is in flight then is finished."""
        idle = 0
        while not stop.is_set():
            idle = 0 if await self._round() else idle + 1
            await self._rest(stop, idle)

    async def drain(self) -> Relayed:
        """Publish what can be published now, and return what became of it; raises what `Database.transaction` does."""
        done: list[Relayed] = []
        while not done or (done[-1].moved and done[-1].failure is None):
            done.append(await self._pass())
        return joined(done)

    async def _round(self) -> bool:
        """Go once through the shards, and return whether something moved."""
        try:
            result = await self._pass()
        except SagaError as error:
            return self._failed(error)
        if result.moved or result.failure is None:
            self._succeeded()
        if result.failure is not None:
            self._failed(result.failure)
        return result.moved

    async def _pass(self) -> Relayed:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(shard: int) -> Relayed:
            async with gate:
                return await self._shard(shard)

        shards = await waiting_shards(self._database)
        results = await asyncio.gather(*(one(shard) for shard in shards), return_exceptions=True)
        return joined(_as_relayed(result) for result in results)

    async def _shard(self, shard: int) -> Relayed:
        async with claimed(self._database, shard) as claim:
            result = Relayed() if claim is None else await self._publish(claim.rows)
            if claim is not None and result != Relayed():
                self._reached("after-publish")
                await _settle(claim, result)
        self._tell(result)
        return result

    async def _publish(self, rows: Sequence[OutboxRow]) -> Relayed:
        chains: dict[str, list[OutboxRow]] = {}
        for row in rows:
            chains.setdefault(row.key, []).append(row)
        return joined(await asyncio.gather(*(self._chain(chain) for chain in chains.values())))

    async def _chain(self, rows: Sequence[OutboxRow]) -> Relayed:
        """Publish events of one key in order, up to the first that has to wait."""
        confirmed: list[OutboxRow] = []
        parked: list[tuple[OutboxRow, str]] = []
        for row in rows:
            try:
                await self._publisher.publish(row.event, priority=row.priority)
            except _NEVER as error:
                parked.append((row, str(error)))
            except SagaError as error:
                refused = (row,) if isinstance(error, PublishUnconfirmedError) else ()
                return Relayed(tuple(confirmed), tuple(parked), refused, error)
            else:
                confirmed.append(row)
        return Relayed(tuple(confirmed), tuple(parked))

    def _tell(self, result: Relayed) -> None:
        for row, reason in result.parked:
            _log.error("event_parked", event_id=row.event.id, event_type=row.event.type, reason=reason)
        if result != Relayed():
            self._told(result)

    def _failed(self, error: SagaError) -> bool:
        if self._failures == 0:
            _log.warning("relay_waits", error=str(error))
        self._failures += 1
        return False

    def _succeeded(self) -> None:
        if self._failures:
            _log.info("relay_goes_on", tries=self._failures)
        self._failures = 0

    async def _rest(self, stop: asyncio.Event, idle: int) -> None:
        """Wait: not at all while something moves, growing while nothing does, longer while something is away."""
        if self._failures:
            await _first_of(delay_seconds(self._failures, self._longest), stop)
        elif idle:
            await _first_of(delay_seconds(idle, _LONGEST_IDLE, 0.0), stop, self._woken)
        self._woken.clear()


async def _settle(claim: Claim, result: Relayed) -> None:
    if result.confirmed:
        await claim.remove(row.id for row in result.confirmed)
    if result.refused:
        await claim.count_try(row.id for row in result.refused)
    for row, reason in result.parked:
        await claim.park(row.id, reason)


def _as_relayed(result: Relayed | BaseException) -> Relayed:
    """PostgreSQL may fail one shard and serve another; anything but our own errors is a bug and ends the relay."""
    if isinstance(result, SagaError):
        return Relayed(failure=result)
    if isinstance(result, BaseException):
        raise result
    return result


async def _first_of(seconds: float, *events: asyncio.Event) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


def _pass(_: object) -> None:
    """Nobody wants to know."""

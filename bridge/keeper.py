"""Keeps what came before its run, and delivers it once the run is there.

The messages of one target are delivered in the order in which they came, each before the next, whoever of several
bridges does it. Every message is delivered before it is taken out and its request id is the same each time, so a
process may be killed at any point: the next one repeats at most what Temporal or the run drops. A correlated message
goes in two transactions: which runs it is for is on disk before the first of them is signalled, because a run that
has what it waited for is not found by it any more.

While Temporal or PostgreSQL is away nothing is lost and nothing spins: the next round comes after a growing delay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Final, Literal

import structlog
from temporalio.client import Client

from bridge.backoff import delay_seconds
from bridge.breaker import Breaker
from bridge.delivering import deliver, deliver_to, waiting_runs
from bridge.dispatches import CorrelateDispatch
from bridge.fault import is_ours
from bridge.holding import Held, RunMissingError, in_store, out_of_store
from bridge.outcomes import Effect, signalled
from contracts.errors import PermanentError, SagaError, ServiceUnreachableError
from store import held as store
from store.database import Database
from store.errors import ConnectionLostError
from store.held import Claim, HeldMessage
from workflows.temporal.errors import RunNotFoundError

Delivered = Callable[[Held, Effect], Awaitable[None]]
Lost = Callable[[Held, PermanentError], Awaitable[None]]

_FIRST_TRY: Final = timedelta(seconds=1)
_IN_HAND: Final = timedelta(seconds=30)
_POLL_SECONDS: Final = 1.0
_AT_ONCE: Final = 4
_LONGEST_DELAY: Final = timedelta(seconds=30)
_log = structlog.get_logger("bridge")

_End = Literal["nothing", "delivered", "matched", "missing"] | SagaError
"""How far a target came: nothing was claimed, all is delivered, its run is known now, its run is not there."""


class Keeper:
    """The waiting room of a bridge, and the loop that empties it."""

    def __init__(self, client: Client, database: Database, breaker: Breaker, delivered: Delivered, lost: Lost) -> None:
        """Begin; nothing is delivered before `run`.

        Args:
            client: The Temporal client.
            database: Where messages are kept.
            breaker: The one before PostgreSQL; keeping waits behind it.
            delivered: Told of each message that was delivered, and how.
            lost: Told of each message that can be delivered no more (`run-missing`), or that Temporal refuses. Both
                are told before the message is taken out, so they may be told twice after a crash, and may raise a
                `TemporaryError` to be told again later.
        """
        self._client, self._database, self._breaker = client, database, breaker
        self._delivered, self._lost = delivered, lost
        self._woken: dict[str, None] = {}
        self._wake = asyncio.Event()
        # Who is told needs a connection of the same pool: so many claims must never take all of them.
        self._claims = asyncio.Semaphore(_AT_ONCE)

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver what is due until `stop` is set; what is in hand is finished."""
        failures = 0
        while not stop.is_set():
            try:
                await self._round(stop)
            except SagaError as error:
                if isinstance(error, PermanentError) and not is_ours(error):
                    raise
                failures += 1
                _log.warning("held_not_tried", error=str(error))
                await _first(stop.wait(), seconds=delay_seconds(failures, _LONGEST_DELAY))
            else:
                failures = 0
                self._wake.clear()
                if not self._woken:
                    await _first(stop.wait(), self._wake.wait(), seconds=_POLL_SECONDS)

    def woken(self, workflow_id: str) -> None:
        """Try soon what waits for a run: it may be there now."""
        self._woken[workflow_id] = None
        self._wake.set()

    async def count(self) -> int:
        """Return how many messages wait, for all bridges together."""
        return await store.count(self._database)

    async def waits(self, target: str) -> bool:
        """Tell whether something waits for `target`, behind which what comes now has to queue."""
        return await self._breaker.protect(lambda: store.waits(self._database, target))

    async def holds(self, request_id: str) -> bool:
        """Tell whether a message is kept still: it was neither delivered nor given up."""
        return await self._breaker.protect(lambda: store.holds(self._database, request_id))

    async def hold(self, held: Held) -> None:
        """Keep a message for good; one that is kept already stays as it is."""
        first = _IN_HAND if held.matched else _FIRST_TRY
        await self._breaker.protect(lambda: store.add(self._database, in_store(held), first))

    async def forget(self, request_id: str) -> None:
        """Keep a message no longer: it was delivered."""
        await self._breaker.protect(lambda: store.forget(self._database, request_id))

    async def release(self, workflow_id: str) -> None:
        """Deliver what waits for a run that has just been started; returns when it is delivered.

        Raises:
            TemporaryError: Temporal went away; the loop will try again.
        """
        failures = 0
        while await self.waits(workflow_id):
            try:
                # Not behind the breaker: what is told meanwhile waits there itself, and would wait for its own probe.
                end = await self._claimed(store.claim(self._database, workflow_id))
            except (ServiceUnreachableError, ConnectionLostError):
                failures += 1
                await asyncio.sleep(delay_seconds(failures, _LONGEST_DELAY))
                continue
            if isinstance(end, SagaError):
                raise end
            if end == "missing":
                return

    async def _round(self, stop: asyncio.Event) -> None:
        """Deliver what waits for woken runs, then all that is due."""
        while self._woken:
            workflow_id = next(iter(self._woken))
            await self.release(workflow_id)
            del self._woken[workflow_id]
        while not stop.is_set() and await self._some():
            pass

    async def _some(self) -> bool:
        """Try what is due at a few targets at once, and tell whether there was any."""
        claims = [self._claimed(store.claim_due(self._database)) for _ in range(_AT_ONCE)]
        ends = await asyncio.gather(*claims, return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException):
                raise end
        return any(end != "nothing" for end in ends)

    async def _claimed(self, claim: AbstractAsyncContextManager[Claim | None]) -> _End:
        async with self._claims, claim as ours:
            return "nothing" if ours is None else await self._settle(ours)

    async def _settle(self, claim: Claim) -> _End:
        """Deliver a target's messages in order, as far as it goes; what was done stays done whatever comes then."""
        try:
            for place, message in enumerate(claim.messages):
                end = await self._try(claim, message)
                if end == "missing":
                    await self._wait_on(claim, claim.messages[place:])
                if end != "delivered":
                    return end
        except SagaError as error:
            return error
        return "delivered"

    async def _try(self, claim: Claim, message: HeldMessage) -> _End:
        held = out_of_store(message)
        try:
            effect = await self._deliver(claim, held)
        except PermanentError as error:
            if isinstance(error, RunNotFoundError):
                return "missing"
            if is_ours(error):
                raise
            await self._lose(claim, held, error)
            return "delivered"
        if isinstance(effect, str):
            return effect
        await self._delivered(held, effect)
        await claim.remove(message.request_id)
        return "delivered"

    async def _deliver(self, claim: Claim, held: Held) -> Effect | Literal["matched", "missing"]:
        message = held.message
        if isinstance(message, CorrelateDispatch):
            return await self._correlate(claim, held, message)
        return Effect(await deliver(self._client, message, held.event, claim.lease), message.workflow_id)

    async def _correlate(
        self, claim: Claim, held: Held, message: CorrelateDispatch
    ) -> Effect | Literal["matched", "missing"]:
        took = await deliver_to(self._client, held.matched, message, held.event, claim.lease)
        if took:
            return signalled(message.target, took)
        found = [one for one in await waiting_runs(self._client, message) if one not in held.matched]
        if not found:
            return "missing"
        await claim.match(message.request_id, found)
        return "matched"

    async def _wait_on(self, claim: Claim, messages: Sequence[HeldMessage]) -> None:
        """Give up those whose time is over, and look again later for the others."""
        for message in messages:
            held = out_of_store(message)
            if message.is_over:
                await self._lose(claim, held, RunMissingError(f"It waited for {message.target}."))
        if not messages[0].is_over:
            await claim.postpone(messages[0].request_id)

    async def _lose(self, claim: Claim, held: Held, error: PermanentError) -> None:
        _log.warning("held_lost", event_id=held.event.identity, target=claim.target, code=error.code)
        await self._lost(held, error)
        await claim.remove(held.message.request_id)


async def _first(*waiting: Awaitable[object], seconds: float) -> None:
    """Wait for the first of these, at most so many seconds."""
    tasks = [asyncio.ensure_future(one) for one in waiting]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()

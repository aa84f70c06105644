"""The lease of a connection: how long it lasts, and what waits while it is in doubt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from bridge.amqp.connection import connected
from bridge.amqp.lease import ConnectionLease, heartbeat_of
from bridge.errors import SessionLostError

HEARTBEAT = timedelta(seconds=10)


@dataclass
class _Broker:
    """A clock that the test moves, and a broker that answers while `answers` is set."""

    now: float = 1000.0
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(self) -> None:
        self.asked.set()
        await self.answers.wait()


@asynccontextmanager
async def _leased(broker: _Broker) -> AsyncIterator[ConnectionLease]:
    lease = ConnectionLease(HEARTBEAT, lambda: broker.now)
    keeping = asyncio.create_task(lease.keep(broker.ask))
    try:
        yield lease
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping


async def test_lease_lasts_less_than_a_heartbeat_from_when_the_broker_was_asked() -> None:
    """Not from when it answered: it may have answered long before we read it."""
    broker = _Broker()
    async with _leased(broker) as lease:
        await broker.asked.wait()
        broker.now += 3
        broker.answers.set()
        assert await lease.left() == timedelta(seconds=5)


async def test_process_that_was_stopped_waits_for_the_next_answer() -> None:
    """Time went by that nobody noticed: nothing is begun before the broker was asked again."""
    broker = _Broker()
    broker.answers.set()
    async with _leased(broker) as lease:
        await lease.left()
        broker.answers.clear()
        broker.asked.clear()
        broker.now += 33
        waiting = asyncio.create_task(lease.left())
        await broker.asked.wait()
        assert not waiting.done()
        broker.answers.set()
        assert await waiting == timedelta(seconds=8)


async def test_end_of_the_session_ends_all_waiting() -> None:
    """What waits for an answer that will never come is told, and so is who asks later."""
    lease = ConnectionLease(HEARTBEAT)
    waiting = asyncio.create_task(lease.left())
    await asyncio.sleep(0)
    lease.end()
    for asking in (waiting, lease.left()):
        with pytest.raises(SessionLostError):
            await asking


async def test_broker_that_never_answers_ends_the_session() -> None:
    """A connection that only seems to be open is given up."""
    lease = ConnectionLease(timedelta(milliseconds=10))
    with pytest.raises(SessionLostError, match="does not answer"):
        await lease.keep(asyncio.Event().wait)


@pytest.mark.parametrize(("query", "seconds"), [("", 15), ("?heartbeat=4", 4), ("?heartbeat=0", 15)])
async def test_lease_follows_the_heartbeat_of_the_connection(amqp_url: str, query: str, seconds: int) -> None:
    """The operator may set another one in the URL, or none."""
    async with connected(f"{amqp_url}{query}", "test") as connection:
        assert heartbeat_of(connection) == timedelta(seconds=seconds)

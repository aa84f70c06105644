"""A session when its share changes: what goes wrong while a line is given up, and what may be in hand then."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from aio_pika.abc import AbstractChannel

from bridge.amqp.acknowledge import acknowledge
from bridge.amqp.consumer import Stations, consume
from bridge.amqp.delivery import Delivery
from bridge.amqp.outlets import Outlets
from bridge.amqp.sharing import Broker, SharedConnection
from bridge.amqp.topology import declare_queues
from bridge.membership import Membership, joined
from bridge.outcomes import Refused
from bridge.settings import BridgeSettings
from bridge.topology.layout import direct_headers, partitions
from bridge.topology.names import INBOX
from contracts.errors import ServiceUnreachableError
from store import bridges
from store.database import Database
from tests.bridge.amqp.consuming import taken_from
from tests.bridge.library import event
from tests.support.bus import DEAD_LETTERS, TOPOLOGY, Bus

SETTINGS = BridgeSettings(TOPOLOGY, patience=timedelta(milliseconds=200), sign_of_life=timedelta(milliseconds=50))


class Unlucky(SharedConnection):
    """A connection whose next channel cannot be had once it is told so: the node of the queue went away."""

    fails = False

    async def channel(self, *, confirms: bool) -> AbstractChannel:
        """Open a channel, or fail once."""
        if self.fails and not confirms:
            self.fails = False
            raise self.lost("planned")
        return await super().channel(confirms=confirms)


@dataclass
class Session:
    """A consuming session whose deliveries stay in hand at the partitions, and are put aside at the inbox."""

    consuming: Unlucky
    broker: Broker
    membership: Membership
    database: Database
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    taken: asyncio.Queue[bool] = field(default_factory=asyncio.Queue)
    in_hand: set[asyncio.Future[None]] = field(default_factory=set)

    async def run(self) -> None:
        """Consume until stopped."""
        stations = Stations(self._put_aside, self._keep)
        told = self.ready.set
        await consume(self.broker, self.settings, stations, self.membership, self.in_hand, told, self.stop)

    settings: BridgeSettings = SETTINGS

    async def others_come(self) -> None:
        """Let four other bridges get in line: this one keeps one queue of seven."""
        for number in range(4):
            await bridges.beat(self.database, uuid.UUID(int=number), "elsewhere", number, True, {})

    async def _keep(self, delivery: Delivery, outlets: Outlets) -> None:
        self.taken.put_nowait(delivery.message.redelivered is True)
        await asyncio.Event().wait()

    async def _put_aside(self, delivery: Delivery, outlets: Outlets) -> None:
        await outlets.bury(delivery, Refused("planned", "planned"), 1, None)
        await acknowledge(delivery, lambda _: None)


@pytest.fixture
async def session(amqp_url: str, database: Database) -> AsyncIterator[Session]:
    """A session that has not begun yet."""
    async with AsyncExitStack() as stack:
        consuming, publishing = Unlucky(amqp_url, "tests"), SharedConnection(amqp_url, "tests")
        for connection in (consuming, publishing):
            stack.push_async_callback(connection.close)
        await declare_queues(await consuming.opened(), SETTINGS)
        membership = await stack.enter_async_context(joined(database, dict, SETTINGS.sign_of_life))
        yield Session(consuming, Broker(consuming, publishing), membership, database)


async def _hand_over(session: Session, bus: Bus) -> asyncio.Task[None]:
    """Begin, and let one delivery be in hand at each of two partitions that will be another's."""
    running = asyncio.create_task(session.run())
    await _while(running, session.ready.wait())
    for name in ("high", "low"):
        await bus.publish(event("a.b", {}, name), headers=direct_headers("g", name, TOPOLOGY))
        await _while(running, session.taken.get())
    return running


async def _while(running: asyncio.Task[None], waiting: Awaitable[object]) -> None:
    """Wait, but not for a session that has ended."""
    other = asyncio.ensure_future(waiting)
    await asyncio.wait((running, other), return_when=asyncio.FIRST_COMPLETED)
    if not other.done():
        other.cancel()
        running.result()
        raise AssertionError("the session ended")


async def test_session_that_ends_while_it_yields_leaves_no_consumer(session: Session, bus: Bus) -> None:
    """One line cannot be opened again: the session ends, and the next consumer has all there is."""
    running = await _hand_over(session, bus)
    session.consuming.fails = True
    await session.others_come()
    with pytest.raises(ServiceUnreachableError, match="planned"):
        await running
    await bus.publish(event("a.b", {}, "later"), headers=direct_headers("g", "low", TOPOLOGY))
    queues = (INBOX, *partitions(TOPOLOGY))
    taken = await taken_from(bus.channel, queues, 3)
    assert sorted(str(message.message_id) for _, message in taken) == ["high", "later", "low"]
    assert [(await bus.queue(name)).declaration_result.consumer_count for name in queues] == [0] * len(queues)
    assert session.in_hand == set()


async def test_session_goes_on_publishing_after_it_yielded_with_something_in_hand(session: Session, bus: Bus) -> None:
    """What was in hand comes again, here since nobody else is in line, and the outlets are open."""
    running = await _hand_over(session, bus)
    await session.others_come()
    for _ in range(2):
        await _while(running, session.taken.get())
    await bus.publish(event("a.b", {}, "put aside"))
    await _while(running, bus.becomes(DEAD_LETTERS, 1))
    session.stop.set()
    await running

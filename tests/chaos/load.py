"""The producers: lanes that tell one story after the other and insist on every confirm.

A lane has its own connection, because the broker may die at any moment and two messages with one id in flight on a
channel could hang the client library. Some events are repeated later with the same id, as producers do that were
restarted; the repetition goes the way of the first, so that it never comes before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

import aio_pika
from aio_pika.abc import AbstractConnection, AbstractExchange

from bridge.amqp.connection import LOST_WHILE_OPENING, close, connect
from contracts.errors import SagaError
from contracts.names import EXCHANGE_EVENTS
from store import outbox
from store.database import Database
from tests.chaos.ledger import Ledger
from tests.chaos.size import sized
from tests.chaos.stories import ANY, WAYS, Author, Ended, Post, Way
from tests.chaos.truth import Truth

_REPEATED = 0.08
_PACE_SECONDS = 0.02
_CONFIRM_SECONDS = 10
_LOOKS_EACH = 0.3
_BACKLOG = sized(120, 1_000)
_CHANGE = "insert into public.changes (event_id) values ($1) on conflict do nothing"


class Sender:
    """Publishes until it has a confirm."""

    def __init__(self, amqp_url: str, database: Database, ledger: Ledger) -> None:
        self._url, self._database, self._ledger = amqp_url, database, ledger
        self._connection: AbstractConnection | None = None
        self._exchange: AbstractExchange | None = None

    async def send(self, post: Post) -> None:
        """Publish, or write to the outbox, until that is certain."""
        while True:
            self._ledger.attempted += 1
            try:
                await (self._write(post) if post.way == "outbox" else self._publish(post))
                break
            except (*LOST_WHILE_OPENING, SagaError, TimeoutError):
                await self.close()
                await asyncio.sleep(0.1)  # a producer's own pause between tries
        if post.is_kept:
            self._ledger.has_confirm(post)

    async def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection, self._exchange = self._connection, None, None
        if connection is not None:
            await close(connection)

    async def _publish(self, post: Post) -> None:
        message = aio_pika.Message(
            post.body,
            headers=dict(post.headers),
            message_id=post.event_id,
            priority=post.priority,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        async with asyncio.timeout(_CONFIRM_SECONDS):
            exchange = self._exchange or await self._opened()
            await exchange.publish(message, post.kind, mandatory=True)

    async def _opened(self) -> AbstractExchange:
        self._connection = await connect(self._url, "chaos producer")
        channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
        self._exchange = await channel.get_exchange(EXCHANGE_EVENTS, ensure=False)
        return self._exchange

    async def _write(self, post: Post) -> None:
        """Change something and write the event, in one transaction, which may come to nothing."""
        assert post.event is not None
        with suppress(_RolledBackError):
            async with self._database.transaction() as session:
                await session.execute(_CHANGE, post.event_id)
                await outbox.add(session, post.event, post.priority)
                if not post.is_kept:
                    raise _RolledBackError


class _RolledBackError(Exception):
    """The business changed its mind."""


class Lane:
    """One producer."""

    def __init__(self, author: Author, sender: Sender, ledger: Ledger, truth: Truth, repeated: float) -> None:
        self._author, self._sender, self._ledger, self._truth = author, sender, ledger, truth
        self._repeated = repeated
        self._later: list[Post] = []
        self._waiting: list[tuple[Ended, Sequence[Post | Ended]]] = []

    async def run(self, may_go_on: Callable[[], Awaitable[bool]]) -> None:
        """Tell stories while more are wanted; those that were begun are told to their ends."""
        while await may_go_on():
            story = self._author.story()
            self._ledger.begins(story)
            await self._tell(story.steps)
            await self._go_on()
        for wanted, _ in list(self._waiting):
            await self._truth.ended(wanted)
        while self._waiting:
            await self._go_on()
        for post in self._later:
            await self._sender.send(post)
        await self._sender.close()

    async def _tell(self, steps: Sequence[Post | Ended]) -> None:
        """Publish, as far as nothing has to end before."""
        for place, step in enumerate(steps):
            if isinstance(step, Ended):
                self._waiting.append((step, steps[place + 1 :]))
                return
            await self._sender.send(step)
            await self._repeat(step)
            await asyncio.sleep(_PACE_SECONDS)  # the load, which is not to outrun a busy machine

    async def _go_on(self) -> None:
        """Look whether the oldest story that waits can go on; a run that never ends must not hold up the lane."""
        if self._waiting:
            wanted, steps = self._waiting.pop(0)
            if await self._truth.has_ended(wanted):
                await self._tell(steps)
            else:
                self._waiting.append((wanted, steps))

    async def _repeat(self, post: Post) -> None:
        if post.is_kept and self._author.draws(self._repeated):
            self._later.append(post)
        if self._later and self._author.draws(self._repeated):
            await self._sender.send(self._later.pop(0))


class Load:
    """The lanes of one scenario, which rest while too much waits to be handled."""

    def __init__(self, ledger: Ledger, truth: Truth) -> None:
        self._ledger, self._truth = ledger, truth
        self._flows = asyncio.Event()
        self._insists = 0
        self.stops = False

    async def may_go_on(self) -> bool:
        """Wait until more can be handled, and tell whether more is wanted."""
        await self._flows.wait()
        return not self.stops

    async def passes(self, count: int) -> None:
        """Wait until so many more confirms have come."""
        wanted = self._ledger.confirms + count

        async def there() -> bool:
            return self._ledger.confirms >= wanted

        self._insists += 1
        await self._truth.bridges.until(there)
        self._insists -= 1

    async def regulate(self) -> None:
        """Let the lanes flow or rest, until cancelled."""
        while True:
            handled = await self._truth.handled()
            if self.stops or self._insists or handled is None or len(self._ledger.recordable) - handled < _BACKLOG:
                self._flows.set()
            else:
                self._flows.clear()
            await asyncio.sleep(_LOOKS_EACH)


@asynccontextmanager
async def loading(
    name: str,
    amqp_url: str,
    truth: Truth,
    ledger: Ledger,
    *,
    kinds: Mapping[str, int] = ANY,
    ways: Sequence[Way] = WAYS,
    repeated: float = _REPEATED,
    lanes: int = 4,
) -> AsyncIterator[Load]:
    """Publish inside the block; at its end every story that was begun is told to its end."""
    load = Load(ledger, truth)
    regulating = asyncio.create_task(load.regulate())
    tasks = [
        asyncio.create_task(
            Lane(
                Author(f"{name}-{lane}", ledger.seed, kinds, ways),
                Sender(amqp_url, truth.database, ledger),
                ledger,
                truth,
                repeated,
            ).run(load.may_go_on)
        )
        for lane in range(lanes)
    ]
    try:
        yield load
        load.stops = True
        await asyncio.gather(*tasks)
    finally:
        for task in [*tasks, regulating]:
            task.cancel()
        await asyncio.gather(*tasks, regulating, return_exceptions=True)

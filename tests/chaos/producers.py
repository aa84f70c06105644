"""The producers: each publishes one message sequence after the other and retries until every message is confirmed.

A producer has its own connection, because the broker may die at any moment and two messages with one id in flight on a
channel could hang the client library. Some events are repeated later with the same id, as producers do that were
restarted; the repetition takes the route of the first, so that it never comes before it.
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
from tests.chaos.message_sequences import ALL_KINDS, ROUTES, Publication, Route, RunsEnded, SequenceGenerator
from tests.chaos.observed_state import StateReader
from tests.chaos.size import sized

_REPEATED = 0.08
_PACE_SECONDS = 0.02
_CONFIRM_SECONDS = 10
_POLL_SECONDS = 0.3
_BACKLOG = sized(120, 1_000)
_CHANGE = "insert into public.changes (event_id) values ($1) on conflict do nothing"


class Sender:
    """Publishes until it has a confirm."""

    def __init__(self, amqp_url: str, database: Database, ledger: Ledger) -> None:
        self._url, self._database, self._ledger = amqp_url, database, ledger
        self._connection: AbstractConnection | None = None
        self._exchange: AbstractExchange | None = None

    async def send(self, publication: Publication) -> None:
        """Publish, or write to the outbox, until that is certain."""
        while True:
            self._ledger.attempted += 1
            try:
                await (self._write(publication) if publication.route == "outbox" else self._publish(publication))
                break
            except (*LOST_WHILE_OPENING, SagaError, TimeoutError):
                await self.close()
                await asyncio.sleep(0.1)  # a producer's own pause between tries
        if publication.is_kept:
            self._ledger.note_confirm(publication)

    async def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection, self._exchange = self._connection, None, None
        if connection is not None:
            await close(connection)

    async def _publish(self, publication: Publication) -> None:
        message = aio_pika.Message(
            publication.body,
            headers=dict(publication.headers),
            message_id=publication.event_id,
            priority=publication.priority,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        async with asyncio.timeout(_CONFIRM_SECONDS):
            exchange = self._exchange or await self._opened()
            await exchange.publish(message, publication.kind, mandatory=True)

    async def _opened(self) -> AbstractExchange:
        self._connection = await connect(self._url, "chaos producer")
        channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
        self._exchange = await channel.get_exchange(EXCHANGE_EVENTS, ensure=False)
        return self._exchange

    async def _write(self, publication: Publication) -> None:
        """Change something and write the event, in one transaction, which may come to nothing."""
        assert publication.event is not None
        with suppress(_RolledBackError):
            async with self._database.transaction() as session:
                await session.execute(_CHANGE, publication.event_id)
                await outbox.add(session, publication.event, publication.priority)
                if not publication.is_kept:
                    raise _RolledBackError


class _RolledBackError(Exception):
    """The producer rolls its transaction back."""


class Producer:
    """One producer: a generator, a sender, and the sequences that wait for the end of runs."""

    def __init__(
        self, generator: SequenceGenerator, sender: Sender, ledger: Ledger, state_reader: StateReader, repeated: float
    ) -> None:
        self._generator, self._sender, self._ledger, self._state_reader = generator, sender, ledger, state_reader
        self._repeated = repeated
        self._repetitions: list[Publication] = []
        self._waiting: list[tuple[RunsEnded, Sequence[Publication | RunsEnded]]] = []

    async def run(self, may_continue: Callable[[], Awaitable[bool]]) -> None:
        """Publish sequences while more are wanted; those that were begun are completed."""
        while await may_continue():
            sequence = self._generator.sequence()
            self._ledger.add(sequence)
            await self._publish_steps(sequence.steps)
            await self._resume_next()
        for wanted, _ in list(self._waiting):
            await self._state_reader.ended(wanted)
        while self._waiting:
            await self._resume_next()
        for publication in self._repetitions:
            await self._sender.send(publication)
        await self._sender.close()

    async def _publish_steps(self, steps: Sequence[Publication | RunsEnded]) -> None:
        """Publish, as far as nothing has to end before."""
        for index, step in enumerate(steps):
            if isinstance(step, RunsEnded):
                self._waiting.append((step, steps[index + 1 :]))
                return
            await self._sender.send(step)
            await self._repeat(step)
            await asyncio.sleep(_PACE_SECONDS)  # the load, which is not to outrun a busy machine

    async def _resume_next(self) -> None:
        """Continue the oldest sequence that waits, if it can; a run that never ends must not block the producer."""
        if self._waiting:
            wanted, steps = self._waiting.pop(0)
            if await self._state_reader.has_ended(wanted):
                await self._publish_steps(steps)
            else:
                self._waiting.append((wanted, steps))

    async def _repeat(self, publication: Publication) -> None:
        if publication.is_kept and self._generator.draws_repetition(self._repeated):
            self._repetitions.append(publication)
        if self._repetitions and self._generator.draws_repetition(self._repeated):
            await self._sender.send(self._repetitions.pop(0))


class Load:
    """The producers of one scenario, which pause while the backlog of unhandled events is too large."""

    def __init__(self, ledger: Ledger, state_reader: StateReader) -> None:
        self._ledger, self._state_reader = ledger, state_reader
        self._may_publish = asyncio.Event()
        self._waiting_callers = 0
        self.is_stopping = False

    async def may_continue(self) -> bool:
        """Wait until more can be handled, and tell whether more is wanted."""
        await self._may_publish.wait()
        return not self.is_stopping

    async def wait_for_confirms(self, count: int) -> None:
        """Wait until so many more confirms have come."""
        wanted = self._ledger.confirms + count

        async def there() -> bool:
            return self._ledger.confirms >= wanted

        self._waiting_callers += 1
        await self._state_reader.bridges.until(there)
        self._waiting_callers -= 1

    async def limit_backlog(self) -> None:
        """Let the producers run or pause, until cancelled."""
        while True:
            handled = await self._state_reader.handled()
            if (
                self.is_stopping
                or self._waiting_callers
                or handled is None
                or len(self._ledger.recordable) - handled < _BACKLOG
            ):
                self._may_publish.set()
            else:
                self._may_publish.clear()
            await asyncio.sleep(_POLL_SECONDS)


@asynccontextmanager
async def loading(
    name: str,
    amqp_url: str,
    state_reader: StateReader,
    ledger: Ledger,
    *,
    kinds: Mapping[str, int] = ALL_KINDS,
    routes: Sequence[Route] = ROUTES,
    repeated: float = _REPEATED,
    producers: int = 4,
) -> AsyncIterator[Load]:
    """Publish inside the block; at its end every sequence that was begun is completed."""
    load = Load(ledger, state_reader)
    limiting = asyncio.create_task(load.limit_backlog())
    tasks = [
        asyncio.create_task(
            Producer(
                SequenceGenerator(f"{name}-{number}", ledger.seed, kinds, routes),
                Sender(amqp_url, state_reader.database, ledger),
                ledger,
                state_reader,
                repeated,
            ).run(load.may_continue)
        )
        for number in range(producers)
    ]
    try:
        yield load
        load.is_stopping = True
        await asyncio.gather(*tasks)
    finally:
        for task in [*tasks, limiting]:
            task.cancel()
        await asyncio.gather(*tasks, limiting, return_exceptions=True)

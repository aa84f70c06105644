"""The collector: takes dead letters from their queue and writes them to PostgreSQL, where people find them.

The queue is where everybody can put a letter, the broker included, also while PostgreSQL is away; the table is where
letters can be searched, edited and counted. Letters are stored in batches and acknowledged after the commit, so a
crash in between stores a batch twice, which is once. While PostgreSQL is away the letters in hand are kept and tried
again with growing delays, and the broker keeps the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

import structlog
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from bridge.amqp.connection import losing
from bridge.amqp.letters import letter_of
from bridge.amqp.sharing import SharedConnection
from bridge.backoff import delay_seconds
from bridge.chores import every
from bridge.errors import SessionLostError
from bridge.topology.model import PlainRule
from bridge.topology.names import DEAD_LETTERS
from contracts.errors import TemporaryError
from store.database import Database
from store.dead_letters import Letter, add

MAX_BATCH: Final = 100
_LONGEST: Final = timedelta(seconds=30)
_MAX_BATCH_BYTES = 8 * 1024 * 1024
_log = structlog.get_logger("bridge")


def _untold(_: str) -> None:
    """Nobody counts."""


async def collect(
    shared: SharedConnection,
    database: Database,
    stop: asyncio.Event,
    *,
    plain: Sequence[PlainRule] = (),
    told: Callable[[str], None] = _untold,
    longest_delay: timedelta = _LONGEST,
) -> None:
    """Collect dead letters until `stop` is set; what is not stored then comes again to whoever collects next.

    Args:
        shared: The broker, where the queue is declared.
        database: Where the letters go.
        stop: Set it to end.
        plain: Which messages may have no envelope.
        told: Told the code of each letter that is news, after it was stored. Must not block.
        longest_delay: Upper limit of the delay between tries while PostgreSQL is away.

    Raises:
        ServiceUnreachableError: The broker is away.
        SessionLostError: The connection or the queue is lost.
        PermanentError: PostgreSQL or the broker refuses for a reason that no try can help.
    """
    collector = _Collector(database, longest_delay, plain, told)
    async with shared.holding(confirms=False) as channel:
        with losing():
            await collector.run(channel, stop)


class _Collector:
    """The letters in hand, and the reason why the session is lost, once it is."""

    def __init__(
        self, database: Database, longest_delay: timedelta, plain: Sequence[PlainRule], told: Callable[[str], None]
    ) -> None:
        self._database, self._longest, self._plain, self._told = database, longest_delay, plain, told
        self._in_hand: asyncio.Queue[AbstractIncomingMessage | None] = asyncio.Queue()
        self._lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def run(self, channel: AbstractChannel, stop: asyncio.Event) -> None:
        await self._watch(channel)
        await channel.set_qos(prefetch_count=MAX_BATCH)
        queue = await channel.get_queue(DEAD_LETTERS, ensure=False)
        await queue.consume(self._in_hand.put)
        storing, ending = asyncio.ensure_future(self._store_all(stop)), asyncio.ensure_future(self._end(stop))
        try:
            await asyncio.wait((storing, self._lost), return_when=asyncio.FIRST_COMPLETED)
            if self._lost.done():
                raise SessionLostError(f"RabbitMQ: {self._lost.result()}")
            if storing.cancelled():  # the client library cancels whoever waits for a connection that breaks
                raise SessionLostError("RabbitMQ: the connection broke.")
            await storing
        finally:
            storing.cancel()
            ending.cancel()
            await asyncio.gather(storing, ending, return_exceptions=True)

    async def _watch(self, channel: AbstractChannel) -> None:
        channel.close_callbacks.add(lambda _, error: self._lose(f"the channel of dead letters closed: {error}"))
        underlay = await channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(lambda _: self._lose("the queue of dead letters was deleted"))

    def _lose(self, reason: str) -> None:
        if not self._lost.done():
            self._lost.set_result(reason)

    async def _end(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._in_hand.put_nowait(None)

    async def _store_all(self, stop: asyncio.Event) -> None:
        while not stop.is_set() and (messages := await self._batch()):
            if await self._store([letter_of(message, self._plain) for message in messages], stop):
                await messages[-1].ack(multiple=True)  # all before it on this channel too, and those are answered

    async def _batch(self) -> list[AbstractIncomingMessage]:
        """What there is, at least one; nothing once we are to stop."""
        messages: list[AbstractIncomingMessage] = []
        size = 0
        while (len(messages) < MAX_BATCH and size < _MAX_BATCH_BYTES) and not (messages and self._in_hand.empty()):
            message = await self._in_hand.get()
            if message is None:
                break
            messages.append(message)
            size += len(message.body)
        return messages

    async def _store(self, letters: Sequence[Letter], stop: asyncio.Event) -> bool:
        """Store letters, and tell whether that could be done before we are to stop."""
        failures = 0
        while True:
            try:
                news = set(await add(self._database, letters))
                break
            except TemporaryError as error:
                failures += 1
                _log.warning("dead_letters_wait", letters=len(letters), failures=failures, error=str(error))
            if not await every(timedelta(seconds=delay_seconds(failures, self._longest)), stop):
                return False
        _log.info("dead_letters_stored", letters=len(letters), news=len(news))
        for letter in letters:
            if letter.letter_id in news:
                self._told(letter.code)
        return True

"""One session of consuming: from the first delivery until we stop or are cut off.

Deliveries come by callback, because aio-pika's iterator ends in silence when the broker is away for a minute, and
each becomes a task of ours, because an exception in a callback is only logged. A session ends in three ways that
all look the same to the supervisor: the connection or channel closed, the broker cancelled the consumer (its queue
was deleted), or a delivery could not be answered. What is in hand then is dropped: it is unacknowledged, so it
comes again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage, AbstractQueue

from bridge.amqp.connection import LOST
from bridge.amqp.deadletters import DeadLetters
from bridge.amqp.delivery import Delivery
from bridge.amqp.topology import EXCHANGE_DEAD_LETTERS, dead_letter_key
from bridge.errors import SessionLostError
from bridge.settings import BridgeSettings

Take = Callable[[Delivery, DeadLetters], Awaitable[None]]


async def consume(
    connection: AbstractConnection,
    settings: BridgeSettings,
    take: Take,
    consuming: Callable[[], None],
    stop: asyncio.Event,
) -> None:
    """Give deliveries to `take` until `stop` is set, then finish what is in hand.

    Args:
        connection: Where everything is declared; closed by the caller.
        settings: Queue, prefetch and patience.
        take: Handles and answers one delivery; entered in the order in which they came.
        consuming: Called once the consumer is registered.
        stop: Set it to end the session.

    Raises:
        SessionLostError: The session ended by itself.
    """
    try:
        channel = await connection.channel(publisher_confirms=False)
        confirming = await connection.channel(publisher_confirms=True, on_return_raises=True)
        dead_letters = await _dead_letters(confirming, settings)
        session = _Session(take, dead_letters)
        await session.watch(connection, channel, confirming)
        await channel.set_qos(prefetch_count=settings.prefetch)
        queue = await channel.get_queue(settings.queue, ensure=False)
        await session.run(queue, consuming, stop, settings.patience.total_seconds())
    except LOST as error:
        raise SessionLostError(str(error)) from error


async def _dead_letters(channel: AbstractChannel, settings: BridgeSettings) -> DeadLetters:
    exchange = await channel.get_exchange(EXCHANGE_DEAD_LETTERS, ensure=False)
    return DeadLetters(exchange, dead_letter_key(settings.queue), settings.publish_timeout)


class _Session:
    """The tasks in hand, and the reason why they are lost, once they are."""

    def __init__(self, take: Take, dead_letters: DeadLetters) -> None:
        self._take, self._dead_letters = take, dead_letters
        self._in_hand: set[asyncio.Future[None]] = set()
        self._lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def watch(self, connection: AbstractConnection, *channels: AbstractChannel) -> None:
        """Notice every way of being cut off."""
        connection.close_callbacks.add(lambda _, error: self._lose(f"the connection closed: {error}"))
        for channel in channels:
            channel.close_callbacks.add(lambda _, error: self._lose(f"a channel closed: {error}"))
            underlay = await channel.get_underlay_channel()
            underlay.on_consumer_cancel_callbacks.add(lambda _: self._lose("the queue was deleted"))

    async def run(
        self, queue: AbstractQueue, consuming: Callable[[], None], stop: asyncio.Event, patience_seconds: float
    ) -> None:
        tag = await queue.consume(self._begin)
        consuming()
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait((stopping, self._lost), return_when=asyncio.FIRST_COMPLETED)
            if self._lost.done():
                raise SessionLostError(f"RabbitMQ: {self._lost.result()}")
            await queue.cancel(tag)
            await self._finish(patience_seconds)
        finally:
            stopping.cancel()
            await self._drop()

    async def _begin(self, message: AbstractIncomingMessage) -> None:
        task = asyncio.ensure_future(self._take(Delivery.of(message), self._dead_letters))
        self._in_hand.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Future[None]) -> None:
        self._in_hand.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._lose(f"a delivery could not be answered: {error}")

    def _lose(self, reason: str) -> None:
        if not self._lost.done():
            self._lost.set_result(reason)

    async def _finish(self, patience_seconds: float) -> None:
        if self._in_hand:
            await asyncio.wait(self._in_hand, timeout=patience_seconds)

    async def _drop(self) -> None:
        for task in self._in_hand:
            task.cancel()
        await asyncio.gather(*self._in_hand, return_exceptions=True)

"""One queue, as far as it is this bridge's turn to consume it.

A queue has a channel of its own, for one reason: closing a channel gives the queue to the next bridge in line and
everything unacknowledged back to it in one step of the broker's, while cancelling a consumer would let the next
bridge have later messages while earlier ones are still in hand here. So a line is given up in this order: take no
more, finish what is begun, close.

Deliveries come by callback, because aio-pika's iterator ends in silence when the broker is away for a minute, and
each becomes a task of ours, because an exception in a callback is only logged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from bridge.amqp.connection import losing
from bridge.amqp.delivery import Delivery
from bridge.amqp.lease import ConnectionLease
from bridge.amqp.sharing import SharedConnection
from bridge.errors import SessionLostError
from contracts.ports import Lease

Take = Callable[[Delivery], Awaitable[None]]
Lost = Callable[[str], None]


@dataclass(eq=False)
class Line:
    """A queue's consumer.

    Attributes:
        shared: The connection on which its channel is opened.
        queue: Name of the queue.
        prefetch: Deliveries in hand at most.
        take: Handles and answers one delivery; entered in the order in which they came.
        lost: Told why, when the consumer is cut off.
        lease: For how long what came on the connection is ours.
        noted: The tasks of all lines.
        in_hand: The tasks of this one.
        was_served: Whether anything came since it was opened: then it is this bridge's turn.
    """

    shared: SharedConnection
    queue: str
    prefetch: int
    take: Take
    lost: Lost
    lease: ConnectionLease
    noted: set[asyncio.Future[None]]
    in_hand: set[asyncio.Future[None]] = field(default_factory=set)
    was_served: bool = False
    _channel: AbstractChannel | None = None
    _takes: bool = False
    _ended: bool = False

    async def open(self) -> None:
        """Get in line for the queue."""
        if self._ended:
            return
        self.was_served = False
        self._channel = channel = await self.shared.channel(confirms=False)
        with losing():
            await self._watch(channel)
            await channel.set_qos(prefetch_count=self.prefetch)
            queue = await channel.get_queue(self.queue, ensure=False)
            self._takes = True
            await queue.consume(partial(self._begin, self._lease_on(channel)))

    def _lease_on(self, channel: AbstractChannel) -> Lease:
        async def left() -> timedelta:
            remaining = await self.lease.left()
            if channel is not self._channel or channel.is_closed:
                raise SessionLostError(f"The channel of {self.queue} has closed.")
            return remaining

        return left

    async def give_up(self, patience: timedelta) -> None:
        """Leave the line: take no more, finish what is begun (for so long at most), give the rest back."""
        self._takes = False
        if self.in_hand:
            await asyncio.wait(self.in_hand, timeout=patience.total_seconds())
        await self.drop()

    async def drop(self) -> None:
        """Abandon what is in hand; it is unacknowledged, so it comes again, here or elsewhere."""
        self._takes = False
        for task in self.in_hand:
            task.cancel()
        await asyncio.gather(*self.in_hand, return_exceptions=True)
        channel, self._channel = self._channel, None
        if channel is not None:
            await self.shared.give_back(channel)

    async def end(self) -> None:
        """Abandon what is in hand, for good: the session is over."""
        self._ended = True
        await self.drop()

    async def _watch(self, channel: AbstractChannel) -> None:
        channel.close_callbacks.add(lambda _, error: self._closed(channel, error))
        underlay = await channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(lambda _: self.lost(f"the queue {self.queue} was deleted"))

    def _closed(self, channel: AbstractChannel, error: BaseException | None) -> None:
        if channel is self._channel:
            self.lost(f"the channel of {self.queue} closed: {error}")

    async def _begin(self, lease: Lease, message: AbstractIncomingMessage) -> None:
        if not self._takes:
            return
        self.was_served = True
        task = asyncio.ensure_future(self.take(Delivery.of(message, self.queue, lease)))
        self.in_hand.add(task)
        self.noted.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Future[None]) -> None:
        self.in_hand.discard(task)
        self.noted.discard(task)
        if task.cancelled():
            reason: object = "it was cancelled" if self._takes else None
        else:
            reason = task.exception()
        if reason is not None:
            self.lost(f"a delivery of {self.queue} could not be answered: {reason}")

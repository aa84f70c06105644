"""The channel on which confirmed messages are published: opened when it is needed, and given up when it is of no use.

In a cluster a channel that was opened while a queue had lost its leader goes on refusing what is for that queue, long
after there is a new one. So a refusal retires the channel: what is in flight on it ends there, what comes next gets a
new one. A channel on which the broker has fallen silent is given up for all who use it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from aio_pika import Message
from aio_pika.abc import AbstractChannel, AbstractConnection

from bridge.amqp.confirms import PublishRefusedError, publish_confirmed
from bridge.amqp.connection import losing
from bridge.amqp.sharing import SharedConnection
from bridge.errors import PublishUnconfirmedError, SessionLostError

_OPEN_SECONDS: Final = 30
"""Connecting has limits of its own; this one is for a broker that lets us in and then says nothing."""

_RETIRE_SECONDS: Final = 1.0


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _nothing(_: AbstractConnection) -> None:
    """All is declared."""


def _unwatched(_: object) -> None:
    """Whoever publishes next finds out."""


@dataclass(eq=False)
class ConfirmingChannel:
    """A channel (kept, or aio-pika would let it go), and how many publish on it now."""

    channel: AbstractChannel
    users: int = 0
    opened_at: float = field(default_factory=_now)

    async def publish(self, exchange: str, message: Message, routing_key: str, limit: timedelta) -> None:
        """Publish; errors as for `publish_confirmed`. The default exchange is the empty text."""
        found = await self.channel.get_exchange(exchange, ensure=False)
        await publish_confirmed(found, message, routing_key, limit)


class ConfirmingChannels:
    """One channel after the other on a shared connection; may be used by many tasks at once."""

    def __init__(
        self,
        shared: SharedConnection,
        prepare: Callable[[AbstractConnection], Awaitable[None]] = _nothing,
        closed: Callable[[object], None] = _unwatched,
    ) -> None:
        """Open nothing yet.

        Args:
            shared: The connection; its owner closes it, we close our channels.
            prepare: Declares what has to be there before a channel is opened.
            closed: Told why, when the channel that is in use closes by itself. Must not block.
        """
        self._shared, self._prepare, self._closed = shared, prepare, closed
        self._opening = asyncio.Lock()
        self._current: ConfirmingChannel | None = None

    @asynccontextmanager
    async def one(self) -> AsyncIterator[ConfirmingChannel]:
        """Hold the channel for one message; what the publication raises says what becomes of the channel.

        Raises:
            ServiceUnreachableError: The broker is away.
            BrokerRefusedError: It does not let us in.
            PublishUnconfirmedError: Also where the channel was given up for the sake of another message.
        """
        channel = await self.opened()
        channel.users += 1
        try:
            yield channel
        except PublishRefusedError:
            self._retire(channel)
            raise
        except PublishUnconfirmedError:
            await self._give_up(channel)
            raise
        except SessionLostError as error:
            if channel is not self._current:
                raise PublishUnconfirmedError("Its channel was given up.") from error
            await self._give_up(channel)
            raise self._shared.lost(error.detail) from error
        finally:
            channel.users -= 1
            await self._clear(channel)

    async def opened(self) -> ConfirmingChannel:
        """Return the channel in use; errors as for `one`."""
        async with self._opening:
            if self._current is None or self._current.channel.is_closed:
                await self.close()
                self._current = await self._opened_in_time()
            return self._current

    async def close(self) -> None:
        """Close the channel, if one is open."""
        if self._current is not None:
            await self._give_up(self._current)

    async def _opened_in_time(self) -> ConfirmingChannel:
        try:
            async with asyncio.timeout(_OPEN_SECONDS):
                return await self._open()
        except TimeoutError as error:
            await self._shared.close()
            raise self._shared.lost("it has fallen silent") from error

    async def _open(self) -> ConfirmingChannel:
        try:
            with losing():
                await self._prepare(await self._shared.opened())
                made = ConfirmingChannel(await self._shared.channel(confirms=True))
        except SessionLostError as error:
            raise self._shared.lost(error.detail) from error
        made.channel.close_callbacks.add(lambda _, error: self._on_closed(made, error))
        return made

    def _on_closed(self, channel: ConfirmingChannel, error: object) -> None:
        if channel is self._current:
            self._closed(error)

    def _retire(self, channel: ConfirmingChannel) -> None:
        """Use a channel no more; not one that is new, or a full queue would have us open channels without end."""
        if self._current is channel and _now() - channel.opened_at >= _RETIRE_SECONDS:
            self._current = None

    async def _clear(self, channel: ConfirmingChannel) -> None:
        """Give a channel back that nobody uses any more."""
        if channel.users == 0 and self._current is not channel:
            await self._shared.give_back(channel.channel)

    async def _give_up(self, channel: ConfirmingChannel) -> None:
        """Give a channel back for all who use it."""
        if self._current is channel:
            self._current = None
        await self._shared.give_back(channel.channel)

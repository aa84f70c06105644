"""One connection to RabbitMQ for all who publish in a process and one for all who consume, each with many channels.

A connection costs a TCP stream, a handshake and a process on the broker; a channel costs next to nothing. So the
parts of one process share them: it is opened by the first who needs it, again by the
first who needs it after it was lost, and closed by its owner. Whoever holds a channel closes only that channel. A
channel that cannot even be closed shows that the broker has fallen silent on this connection: then the connection is
dropped for all of them, and each begins again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from aio_pika.abc import AbstractChannel, AbstractConnection

from bridge.amqp.connection import LOST, address, close, connect, is_lost, losing, unreachable
from bridge.errors import SessionLostError
from contracts.errors import ServiceUnreachableError

_CLOSE_CHANNEL_SECONDS = 2


class SharedConnection:
    """A connection that is opened on demand; made by `sharing`, which also closes it."""

    def __init__(self, url: str, name: str) -> None:
        """Open nothing yet.

        Args:
            url: The broker; several nodes are separated by commas.
            name: What the connection is called in RabbitMQ's own tools.
        """
        self.url = url
        self._name = name
        self._opening = asyncio.Lock()
        self._connection: AbstractConnection | None = None
        self._of: dict[AbstractChannel, AbstractConnection] = {}

    @property
    def address(self) -> str:
        """Where the broker is, for messages."""
        return address(self.url)

    async def opened(self) -> AbstractConnection:
        """Return the connection; it is open, so far as this side knows.

        Raises:
            ServiceUnreachableError: The broker is away.
            BrokerRefusedError: It does not let us in.
        """
        async with self._opening:
            if self._connection is None or is_lost(self._connection):
                await self.close()
                self._connection = await connect(self.url, self._name)
            return self._connection

    async def channel(self, *, confirms: bool) -> AbstractChannel:
        """Open a channel; whoever calls gives it to `give_back`.

        Args:
            confirms: Whether it is for publishing: with confirms, and with an error for what no queue takes.

        Raises:
            ServiceUnreachableError: The broker is away.
            BrokerRefusedError: It does not let us in.
        """
        connection = await self.opened()
        try:
            with losing():
                channel = await connection.channel(publisher_confirms=confirms, on_return_raises=confirms)
        except SessionLostError as error:
            raise self.lost(error.detail) from error
        self._of[channel] = connection
        return channel

    @asynccontextmanager
    async def holding(self, *, confirms: bool) -> AsyncIterator[AbstractChannel]:
        """Hold a channel inside the block; errors as for `channel`."""
        channel = await self.channel(confirms=confirms)
        try:
            yield channel
        finally:
            await self.give_back(channel)

    async def give_back(self, channel: AbstractChannel) -> None:
        """Close a channel, and the connection with it if the broker does not answer even that.

        Only the first time counts.
        """
        connection = self._of.pop(channel, None)
        if connection is None:
            return
        try:
            async with asyncio.timeout(_CLOSE_CHANNEL_SECONDS):
                await channel.close()
        except TimeoutError:
            await self._drop(connection)
        except LOST:
            pass  # it is closed already

    def lost(self, reason: object) -> ServiceUnreachableError:
        """Return the error for a broker that was lost."""
        return unreachable(self.url, reason)

    async def close(self) -> None:
        """Close the connection, if one is open."""
        await self._drop(self._connection)

    async def _drop(self, connection: AbstractConnection | None) -> None:
        if self._connection is connection:
            self._connection = None
        if connection is not None:
            self._of = {channel: its for channel, its in self._of.items() if its is not connection}
            await close(connection)


@asynccontextmanager
async def sharing(url: str, name: str) -> AsyncIterator[SharedConnection]:
    """Own a shared connection inside the block; it is opened by whoever needs it first."""
    shared = SharedConnection(url, name)
    try:
        yield shared
    finally:
        with suppress(*LOST):
            await shared.close()


@dataclass(frozen=True, slots=True)
class Broker:
    """The two connections of a process.

    In an alarm (memory, disk) the broker reads no more from a connection that publishes. Were acknowledgements to come
    on the same one, the consumer that could end the alarm would be stopped by it.
    """

    consuming: SharedConnection
    publishing: SharedConnection


@asynccontextmanager
async def both(url: str, name: str) -> AsyncIterator[Broker]:
    """Own both connections inside the block; each is opened by whoever needs it first."""
    async with sharing(url, f"{name}, consuming") as consuming, sharing(url, f"{name}, publishing") as publishing:
        yield Broker(consuming, publishing)

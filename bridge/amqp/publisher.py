"""Publish events: the port that `emit` and `event.publish` use.

The connection is opened with the first event and again after it was lost, so that a worker starts and works on
while the broker is away; each `publish` meanwhile fails with one plain line, and Temporal tries the step again. An
event that no queue takes is no failure of the run that emits it, but it must not vanish either: it goes to
`events.unrouted`, and only if that too takes nothing is it an error.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

import structlog
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange

from bridge.amqp.confirms import publish_confirmed
from bridge.amqp.connection import LOST, close, connect, unreachable
from bridge.amqp.topology import UNROUTED, declare_bus
from bridge.envelope import MAX_BYTES
from bridge.errors import EventTooLargeError, PublishUnconfirmedError, SessionLostError, UnroutableEventError
from bridge.lanes import Lanes
from contracts.envelope import Event
from contracts.names import EXCHANGE_EVENTS

GROUP_HEADER: Final = "x-group-id"
_SHORT_BYTES = 255
_TIMEOUT = timedelta(seconds=10)
_log = structlog.get_logger("publisher")


class Publisher:
    """An `EventPublisher` on RabbitMQ; may be used by many tasks at once."""

    def __init__(self, url: str, timeout: timedelta) -> None:
        """Connect with the first event; `open_publisher` closes."""
        self._url, self._timeout = url, timeout
        self._opening = asyncio.Lock()
        self._line: _Line | None = None
        self._lanes = Lanes()

    async def publish(self, event: Event, *, priority: int = 0) -> None:
        """Publish `event` and return once the broker has confirmed it.

        Raises:
            ServiceUnreachableError: The broker is away.
            PublishUnconfirmedError: It did not confirm in time, or refused (a full queue).
            EventTooLargeError: The bridge would not take it.
            UnroutableEventError: Neither a queue of the event's nor that of unrouted events takes it.
        """
        message = _message(event, priority)
        async with self._lanes.through([event.id]):  # aiormq confuses returned messages of one id
            await self._send(message, event)

    async def _send(self, message: Message, event: Event) -> None:
        line = await self._ready()
        try:
            await line.send(message, event, self._timeout)
        except PublishUnconfirmedError:
            await self._give_up(line)
            raise
        except SessionLostError as error:
            await self._give_up(line)
            raise unreachable(self._url, error.detail) from error

    async def close(self) -> None:
        """Close the connection, if one is open."""
        if self._line is not None:
            await self._give_up(self._line)

    async def _ready(self) -> _Line:
        async with self._opening:
            if self._line is None or self._line.is_lost:
                await self.close()
                self._line = await _open_line(self._url)
            return self._line

    async def _give_up(self, line: _Line) -> None:
        if self._line is line:
            self._line = None
        await close(line.connection)


@asynccontextmanager
async def open_publisher(amqp_url: str, confirm_within: timedelta = _TIMEOUT) -> AsyncIterator[Publisher]:
    """Hold a publisher inside the block; it connects when it is first used.

    Args:
        amqp_url: The broker.
        confirm_within: How long a confirm may take.
    """
    publisher = Publisher(amqp_url, confirm_within)
    try:
        yield publisher
    finally:
        await publisher.close()


class _Line:
    """A connection with its channel (kept, or aio-pika would let it go) and exchanges."""

    def __init__(self, connection: AbstractConnection, channel: AbstractChannel, *exchanges: AbstractExchange) -> None:
        self.connection, self._channel = connection, channel
        self._events, self._unrouted = exchanges

    @property
    def is_lost(self) -> bool:
        return self.connection.is_closed or self._channel.is_closed

    async def send(self, message: Message, event: Event, limit: timedelta) -> None:
        try:
            await publish_confirmed(self._events, message, event.type, limit)
        except UnroutableEventError:
            await publish_confirmed(self._unrouted, message, event.type, limit)
            _log.warning("event_unrouted", event_id=event.id, event_type=event.type, kept_in=UNROUTED)


async def _open_line(url: str) -> _Line:
    connection = await connect(url, "sagawright publisher")
    try:
        await declare_bus(connection)
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        events = await channel.get_exchange(EXCHANGE_EVENTS, ensure=False)
        unrouted = await channel.get_exchange(UNROUTED, ensure=False)
    except BaseException as error:
        await close(connection)
        if isinstance(error, (*LOST, SessionLostError)):
            raise unreachable(url, error) from error
        raise
    return _Line(connection, channel, events, unrouted)


def _message(event: Event, priority: int) -> Message:
    body = json.dumps(event.to_json(), ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    if len(body) > MAX_BYTES:
        raise EventTooLargeError(f"{event.type} has {len(body):,} bytes; {MAX_BYTES:,} are allowed.")
    if _short(event.id) is None or _short(event.type) is None:
        raise EventTooLargeError(f"Its id and type must have 1 to {_SHORT_BYTES} bytes: {event.type[:80]}.")
    group = event.metadata.get("group_id")
    return Message(
        body,
        headers={GROUP_HEADER: group} if isinstance(group, str) else {},
        content_type="application/json",
        delivery_mode=DeliveryMode.PERSISTENT,
        priority=priority,
        correlation_id=_short(event.correlation_id),
        message_id=event.id,
        timestamp=event.time,
        type=event.type,
        app_id=_short(event.source),
    )


def _short(text: str) -> str | None:
    """AMQP properties hold at most 255 bytes; the envelope has the text in full."""
    return text if 0 < len(text.encode()) <= _SHORT_BYTES else None

"""Publish events, confirmed.

A channel is opened with the first event and again after it was lost, so that a worker starts and works on while the
broker is away; each `publish` meanwhile fails with one plain line, and whoever called tries again with the same event.
An event that no queue takes is no failure of the run that emits it, but it must not vanish either: it goes to
`events.unrouted`, and only if that too takes nothing is it an error.

In a cluster a channel that was opened while a queue had lost its leader goes on refusing what is for that queue, long
after there is a new one. So a refusal retires the channel: what is in flight on it ends there, what comes next gets a
new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

import structlog
from aio_pika import Message
from aio_pika.abc import AbstractChannel, AbstractExchange

from bridge.amqp.confirms import PublishRefusedError, publish_confirmed
from bridge.amqp.connection import losing
from bridge.amqp.outgoing import message_of
from bridge.amqp.sharing import SharedConnection, sharing
from bridge.amqp.topology import UNROUTED, declare_bus
from bridge.encoding import Form
from bridge.errors import PublishUnconfirmedError, SessionLostError, UnroutableEventError
from bridge.lanes import Lanes
from bridge.metrics import Metrics
from bridge.topology.model import Topology
from contracts.envelope import Event
from contracts.errors import SagaError, ServiceUnreachableError
from contracts.names import EXCHANGE_EVENTS
from contracts.ports import EventCheck

_TIMEOUT: Final = timedelta(seconds=10)
_OPEN_SECONDS: Final = 30
"""Connecting has limits of its own; this one is for a broker that lets us in and then says nothing."""

_RETIRE_SECONDS: Final = 1.0
_TOPOLOGY: Final = Topology()
_SILENT: Final = Metrics()
_log = structlog.get_logger("publisher")


def unchecked(_: Event) -> None:
    """Take every event as it is."""


class Publisher:
    """An `EventPublisher` on RabbitMQ; may be used by many tasks at once."""

    def __init__(
        self,
        shared: SharedConnection,
        *,
        confirm_within: timedelta = _TIMEOUT,
        topology: Topology = _TOPOLOGY,
        check: EventCheck = unchecked,
        metrics: Metrics = _SILENT,
        form: Form = "saga",
    ) -> None:
        """Open nothing yet.

        Args:
            shared: The connection; its owner closes it, we close our channel.
            confirm_within: How long a confirm may take.
            topology: Says which class a priority has.
            check: Looks at each event before it is sent.
            metrics: Told what is published and what is not.
            form: How events are written.
        """
        self._shared, self._limit, self._topology = shared, confirm_within, topology
        self._check, self._metrics, self._form = check, metrics, form
        self._opening = asyncio.Lock()
        self._line: _Line | None = None
        self._lanes = Lanes()

    async def publish(self, event: Event, *, priority: int = 0) -> None:
        """Publish `event` and return once the broker has confirmed it.

        Raises:
            ServiceUnreachableError: The broker is away.
            PublishUnconfirmedError: It did not confirm in time, or refused (a full queue).
            EventTooLargeError: The bridge would not take it.
            UnfitEventError: It cannot be written as JSON.
            UnroutableEventError: Neither a queue of the event's nor that of unrouted events takes it.
            PermanentError: What `check` says against it.
        """
        self._check(event)
        message = message_of(event, priority, self._topology, self._form)
        async with self._lanes.through([event.id]):  # aiormq confuses returned messages of one id
            await self._counted(message, event)

    async def close(self) -> None:
        """Close the channel, if one is open."""
        if self._line is not None:
            await self._give_up(self._line)

    async def _counted(self, message: Message, event: Event) -> None:
        try:
            await self._send(message, event)
        except SagaError as error:
            self._metrics.publish_failed(_reason(error))
            raise
        self._metrics.published(event.type)

    async def _send(self, message: Message, event: Event) -> None:
        line = await self._ready()
        line.users += 1
        try:
            await line.send(message, event, self._limit)
        except PublishRefusedError:
            self._retire(line)
            raise
        except PublishUnconfirmedError:
            await self._give_up(line)
            raise
        except SessionLostError as error:
            await self._give_up(line)
            raise self._shared.lost(error.detail) from error
        finally:
            line.users -= 1
            await self._clear(line)

    async def _ready(self) -> _Line:
        async with self._opening:
            if self._line is None or self._line.is_lost:
                await self.close()
                self._line = await self._opened_in_time()
            return self._line

    async def _opened_in_time(self) -> _Line:
        try:
            async with asyncio.timeout(_OPEN_SECONDS):
                return await _open_line(self._shared)
        except TimeoutError as error:
            await self._shared.close()
            raise self._shared.lost("it has fallen silent") from error

    def _retire(self, line: _Line) -> None:
        """Use a line no more; not one that is new, or a full queue would have us open channels without end."""
        if self._line is line and line.age_seconds >= _RETIRE_SECONDS:
            self._line = None

    async def _clear(self, line: _Line) -> None:
        """Give a line back that nobody uses any more."""
        if line.users == 0 and self._line is not line:
            await self._shared.give_back(line.channel)

    async def _give_up(self, line: _Line) -> None:
        """Give a line back for all who use it."""
        if self._line is line:
            self._line = None
        await self._shared.give_back(line.channel)


@asynccontextmanager
async def open_publisher(
    amqp_url: str,
    confirm_within: timedelta = _TIMEOUT,
    *,
    topology: Topology = _TOPOLOGY,
    check: EventCheck = unchecked,
    metrics: Metrics = _SILENT,
    form: Form = "saga",
) -> AsyncIterator[Publisher]:
    """Hold a publisher with a connection of its own inside the block; it connects when it is first used.

    Args: as for `Publisher`; `amqp_url` may name several nodes, separated by commas.
    """
    async with sharing(amqp_url, "sagawright publisher") as shared:
        publisher = Publisher(
            shared, confirm_within=confirm_within, topology=topology, check=check, metrics=metrics, form=form
        )
        try:
            yield publisher
        finally:
            await publisher.close()


class _Line:
    """A channel (kept, or aio-pika would let it go) and its exchanges."""

    def __init__(self, channel: AbstractChannel, events: AbstractExchange, unrouted: AbstractExchange) -> None:
        self.channel, self._events, self._unrouted = channel, events, unrouted
        self.users = 0
        self._opened_at = asyncio.get_running_loop().time()

    @property
    def age_seconds(self) -> float:
        return asyncio.get_running_loop().time() - self._opened_at

    @property
    def is_lost(self) -> bool:
        return self.channel.is_closed

    async def send(self, message: Message, event: Event, limit: timedelta) -> None:
        try:
            await publish_confirmed(self._events, message, event.type, limit)
        except UnroutableEventError:
            await publish_confirmed(self._unrouted, message, event.type, limit)
            _log.warning("event_unrouted", event_id=event.id, event_type=event.type, kept_in=UNROUTED)


async def _open_line(shared: SharedConnection) -> _Line:
    try:
        with losing():
            await declare_bus(await shared.opened())
            channel = await shared.channel(confirms=True)
            events = await channel.get_exchange(EXCHANGE_EVENTS, ensure=False)
            return _Line(channel, events, await channel.get_exchange(UNROUTED, ensure=False))
    except SessionLostError as error:
        raise shared.lost(error.detail) from error


def _reason(error: SagaError) -> str:
    """Return the word for it; they are those of `bridge.metrics.PUBLISH_FAILURES`."""
    match error:
        case ServiceUnreachableError():
            return "unreachable"
        case UnroutableEventError():
            return "unroutable"
        case PublishUnconfirmedError() if not isinstance(error, PublishRefusedError):
            return "unconfirmed"
        case _:
            return "refused"

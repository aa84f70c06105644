"""Publish events, confirmed.

A channel is opened with the first event and again after it was lost, so that a worker starts and works on while the
broker is away; each `publish` meanwhile fails with one plain line, and whoever called tries again with the same event.
An event that no queue takes is no failure of the run that emits it, but it must not vanish either: it goes to
`events.unrouted`, and only if that too takes nothing is it an error.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

import structlog
from aio_pika import Message

from bridge.amqp.confirming import ConfirmingChannels
from bridge.amqp.confirms import PublishRefusedError
from bridge.amqp.outgoing import message_of
from bridge.amqp.sharing import SharedConnection, sharing
from bridge.amqp.topology import UNROUTED, declare_bus, exists
from bridge.encoding import Form
from bridge.errors import PublishUnconfirmedError, SessionLostError, UnroutableEventError
from bridge.lanes import Lanes
from bridge.metrics import Metrics
from bridge.topology.model import Exchange, Topology
from contracts.envelope import Event
from contracts.errors import SagaError, ServiceUnreachableError
from contracts.names import EXCHANGE_EVENTS
from contracts.ports import EventCheck

_TIMEOUT: Final = timedelta(seconds=10)
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
        self._shared, self._channels = shared, ConfirmingChannels(shared, prepare=declare_bus)
        self._limit, self._topology = confirm_within, topology
        self._check, self._metrics, self._form = check, metrics, form
        self._lanes = Lanes()
        self._exchanges: dict[str, bool] = {}

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

    async def publish_to(self, event: Event, exchange: str, routing_key: str, *, priority: int = 0) -> None:
        """Publish `event` to an exchange of somebody else's, as it once was; `""` is the default exchange.

        Raises:
            UnroutableEventError: There is no such exchange, or no queue takes it there. Others as for `publish`.
        """
        self._check(event)
        message = message_of(event, priority, self._topology, self._form)
        if exchange and not await self._is_there(exchange):
            raise UnroutableEventError(f"There is no exchange {exchange}.")
        async with self._lanes.through([event.id]):
            await self._counted(message, event, (exchange, routing_key))

    async def _is_there(self, exchange: str) -> bool:
        """Ask before: publishing to an exchange that is not there costs the channel, with all that is in flight."""
        if exchange not in self._exchanges:
            await self._channels.opened()
            try:
                self._exchanges[exchange] = await exists(await self._shared.opened(), Exchange(exchange, "topic"))
            except SessionLostError as error:
                raise self._shared.lost(error.detail) from error
        return self._exchanges[exchange]

    async def close(self) -> None:
        """Close the channel, if one is open."""
        await self._channels.close()

    async def _counted(self, message: Message, event: Event, to: tuple[str, str] | None = None) -> None:
        try:
            await self._send(message, event, to)
        except SagaError as error:
            self._metrics.publish_failed(_reason(error))
            raise
        self._metrics.published(event.type)

    async def _send(self, message: Message, event: Event, to: tuple[str, str] | None) -> None:
        async with self._channels.one() as channel:
            if to is not None:
                exchange, routing_key = to
                await channel.publish(exchange, message, routing_key, self._limit)
                return
            try:
                await channel.publish(EXCHANGE_EVENTS, message, event.type, self._limit)
            except UnroutableEventError:
                await channel.publish(UNROUTED, message, event.type, self._limit)
                _log.warning("event_unrouted", event_id=event.id, event_type=event.type, kept_in=UNROUTED)


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

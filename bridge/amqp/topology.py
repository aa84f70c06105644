"""The exchanges and queues of the bus, declared alike by the bridge and by publishers.

`events` and `dlx` are plain durable topic exchanges, so that producers which declare them so themselves agree with
us. What that leaves open is done without arguments of theirs: our publisher sends an unroutable event to
`events.unrouted` itself.

The queue of events is a quorum queue whose own dead-lettering is at-least-once: that needs the strategy,
`reject-publish` and a dead-letter exchange together, else RabbitMQ silently makes it at-most-once. Declaring is
also the check: the broker compares all properties, and a difference ends here, with the broker's own words, instead
of being tried for ever.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import ChannelPreconditionFailed
from aiormq.exceptions import ChannelAccessRefused, ChannelLockedResource
from pamqp.common import FieldTable

from bridge.amqp.connection import LOST
from bridge.errors import BrokerRefusedError, BrokerTooOldError, SessionLostError, TopologyMismatchError
from bridge.settings import BridgeSettings
from contracts.names import EXCHANGE_EVENTS

EXCHANGE_DEAD_LETTERS: Final = "dlx"
UNROUTED: Final = "events.unrouted"
_MAX_UNROUTED = 100_000
_OLDEST = (3, 10)


def dead_letter_key(queue: str) -> str:
    """Return the routing key of the dead letters of `queue`."""
    return f"dlx.{queue}"


async def declare_bus(connection: AbstractConnection) -> None:
    """Declare what publishing needs: `events`, and the exchange and bounded queue for events that nobody takes.

    Raises:
        BrokerTooOldError: Before RabbitMQ 3.10.
        TopologyMismatchError: One of them exists with other properties.
        BrokerRefusedError: The user may not declare them.
        SessionLostError: The connection was lost meanwhile.
    """
    _check_version(connection)
    async with _declaring(connection) as channel:
        await channel.declare_exchange(EXCHANGE_EVENTS, "topic", durable=True)
        unrouted = await channel.declare_exchange(UNROUTED, "fanout", durable=True)
        arguments: FieldTable = {"x-queue-type": "quorum", "x-max-length": _MAX_UNROUTED, "x-overflow": "drop-head"}
        queue = await channel.declare_queue(UNROUTED, durable=True, arguments=arguments)
        await queue.bind(unrouted)


async def declare_queues(connection: AbstractConnection, settings: BridgeSettings) -> None:
    """Declare what consuming needs: the bus, the queue of events, that of dead letters. Errors: as `declare_bus`."""
    await declare_bus(connection)
    async with _declaring(connection) as channel:
        await _declare_dead_letters(channel, settings)
        await _declare_events(channel, settings)


async def _declare_dead_letters(channel: AbstractChannel, settings: BridgeSettings) -> None:
    exchange = await channel.declare_exchange(EXCHANGE_DEAD_LETTERS, "topic", durable=True)
    kept = int(settings.dead_letter_retention.total_seconds() * 1000)
    arguments: FieldTable = {"x-queue-type": "quorum", "x-message-ttl": kept}
    queue = await channel.declare_queue(settings.dead_letter_queue, durable=True, arguments=arguments)
    await queue.bind(exchange, dead_letter_key(settings.queue))


async def _declare_events(channel: AbstractChannel, settings: BridgeSettings) -> None:
    arguments: FieldTable = {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": EXCHANGE_DEAD_LETTERS,
        "x-dead-letter-routing-key": dead_letter_key(settings.queue),
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    queue = await channel.declare_queue(settings.queue, durable=True, arguments=arguments)
    for pattern in settings.bindings:
        await queue.bind(EXCHANGE_EVENTS, pattern)


def _check_version(connection: AbstractConnection) -> None:
    transport = connection.transport
    version = transport.connection.server_properties.get("version") if transport else None
    found = re.match(r"(\d+)\.(\d+)", version) if isinstance(version, str) else None
    if found and (int(found[1]), int(found[2])) < _OLDEST:
        raise BrokerTooOldError(f"It is {found.string}.")


@asynccontextmanager
async def _declaring(connection: AbstractConnection) -> AsyncIterator[AbstractChannel]:
    try:
        async with connection.channel() as channel:
            yield channel
    except (ChannelPreconditionFailed, ChannelLockedResource) as error:
        raise TopologyMismatchError(str(error)) from error
    except ChannelAccessRefused as error:
        raise BrokerRefusedError(str(error)) from error
    except LOST as error:
        raise SessionLostError(str(error)) from error

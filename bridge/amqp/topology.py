"""Declares exchanges, queues and bindings, and says plainly why that cannot be.

Declaring is also the check: the broker compares every property of what is there already, and a difference ends here,
naming the argument and both values, instead of being tried for ever. Each new quorum queue costs the broker some
milliseconds of its own, so several channels declare at once.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed
from aiormq.abc import AbstractChannel
from aiormq.exceptions import ChannelAccessRefused, ChannelLockedResource

from bridge.amqp.connection import LOST, losing
from bridge.errors import BrokerRefusedError, BrokerTooOldError, SessionLostError, TopologyMismatchError
from bridge.settings import BridgeSettings
from bridge.topology.diff import difference_in
from bridge.topology.layout import bus, layout
from bridge.topology.model import MAX_PARTITIONS, Binding, Declarations, Exchange, Queue, Topology
from bridge.topology.names import EXCHANGE_DEAD_LETTERS, UNROUTED, dead_letter_key, partition_queue
from contracts.errors import PermanentError, SagaError

__all__ = [
    "EXCHANGE_DEAD_LETTERS",
    "UNROUTED",
    "dead_letter_key",
    "declare",
    "declare_bus",
    "declare_queues",
    "exists",
]

Step = Callable[[AbstractChannel], Awaitable[object]]
_CHANNELS: Final = 8
_OLDEST = (3, 10)


async def declare(connection: AbstractConnection, declarations: Declarations) -> None:
    """Declare what is missing: exchanges, queues, bindings of queues, bindings between exchanges.

    Raises:
        BrokerTooOldError: Before RabbitMQ 3.10.
        TopologyMismatchError: Something exists with other properties; the first that was met is named.
        BrokerRefusedError: The user may not declare it.
        SessionLostError: The connection was lost meanwhile.
    """
    _check_version(connection)
    await _carry_out(connection, _dealt([declaring(each) for each in declarations.exchanges]))
    await _carry_out(connection, _dealt([declaring(each) for each in declarations.queues]))
    await _carry_out(connection, _dealt([declaring(each) for each in declarations.bindings if each.kind == "queue"]))
    # Last, and in their order: nothing may flow into an exchange before all that is behind it is there.
    await _carry_out(connection, [[declaring(each) for each in declarations.bindings if each.kind == "exchange"]])


async def declare_bus(connection: AbstractConnection) -> None:
    """Declare what publishing needs. Errors: as `declare`."""
    await declare(connection, bus())


async def declare_queues(connection: AbstractConnection, settings: BridgeSettings) -> None:
    """Declare what consuming needs, and what the operator's file adds. Errors: as `declare`.

    Raises:
        TopologyMismatchError: Also where the broker has more partitions than there are to be: nobody would read them.
    """
    topology = settings.topology
    await _refuse_surplus(connection, topology)
    await declare(connection, layout(topology, settings.bindings, settings.dead_letter_retention) + topology.own)


async def exists(connection: AbstractConnection, item: Exchange | Queue) -> bool:
    """Tell whether there is an exchange or queue of this name, whatever its properties.

    Raises:
        BrokerRefusedError: The user may not ask.
        SessionLostError: The connection was lost meanwhile.
    """
    with losing():
        return await _is_there(connection, item)


def declaring(item: Exchange | Queue | Binding) -> Step:
    """Return what declares `item` on a channel."""
    match item:
        case Exchange():
            return lambda channel: channel.exchange_declare(
                item.name, exchange_type=item.type, durable=item.durable, arguments=dict(item.arguments)
            )
        case Queue():
            return lambda channel: channel.queue_declare(
                item.name, durable=item.durable, arguments=dict(item.arguments)
            )
        case Binding(kind="queue"):
            return lambda channel: channel.queue_bind(
                item.destination, item.source, routing_key=item.routing_key, arguments=dict(item.arguments)
            )
        case Binding():
            return lambda channel: channel.exchange_bind(
                item.destination, item.source, routing_key=item.routing_key, arguments=dict(item.arguments)
            )


def translated(error: BaseException) -> SagaError:
    """Return what a failed declaration means."""
    match error:
        case ChannelPreconditionFailed() | ChannelLockedResource():
            found = difference_in(str(error))
            return TopologyMismatchError(str(found) if found else str(error))
        case ChannelAccessRefused():
            return BrokerRefusedError(str(error))
        case SagaError():
            return error
    return SessionLostError(str(error))


async def _refuse_surplus(connection: AbstractConnection, topology: Topology) -> None:
    if topology.partitions >= MAX_PARTITIONS:
        return
    first = partition_queue(topology.classes[0].name, topology.partitions)
    if await exists(connection, Queue(first)):
        raise TopologyMismatchError(
            f"queue {first}: the broker has more partitions than {topology.partitions}, and events in them would be "
            f"left. Raise `partitions`; or, to have fewer, stop the producers, let the bridge empty all of them, and "
            f"delete the queues {first} and above of each class."
        )


async def _is_there(connection: AbstractConnection, item: Exchange | Queue) -> bool:
    try:
        async with connection.channel() as channel:
            await _asking(item)(await channel.get_underlay_channel())
    except ChannelNotFoundEntity:
        return False
    except LOST as error:
        if isinstance(error, ChannelLockedResource):
            return True
        raise translated(error) from error
    return True


def _asking(item: Exchange | Queue) -> Step:
    match item:
        case Exchange():
            return lambda channel: channel.exchange_declare(item.name, passive=True)
        case Queue():
            return lambda channel: channel.queue_declare(item.name, passive=True)


def _dealt(steps: Sequence[Step]) -> list[Sequence[Step]]:
    return [steps[start::_CHANNELS] for start in range(min(_CHANNELS, len(steps)))]


async def _carry_out(connection: AbstractConnection, lanes: Iterable[Sequence[Step]]) -> None:
    """Go through the lanes at once; of several failures the one that no retry can help is raised."""
    results = await asyncio.gather(*(_in_order(connection, lane) for lane in lanes), return_exceptions=True)
    failures = [result for result in results if isinstance(result, BaseException)]
    for failure in sorted(failures, key=lambda each: not isinstance(each, PermanentError)):
        raise failure


async def _in_order(connection: AbstractConnection, steps: Sequence[Step]) -> None:
    with losing():
        try:
            async with connection.channel() as channel:
                underlay = await channel.get_underlay_channel()
                for step in steps:
                    await step(underlay)
        except LOST as error:
            raise translated(error) from error


def _check_version(connection: AbstractConnection) -> None:
    transport = connection.transport
    version = transport.connection.server_properties.get("version") if transport else None
    found = re.match(r"(\d+)\.(\d+)", version) if isinstance(version, str) else None
    if found and (int(found[1]), int(found[2])) < _OLDEST:
        raise BrokerTooOldError(f"It is {found.string}.")

"""Compares what ought to be on the broker with what is there; changes nothing.

AMQP has no question for it. A passive declaration tells whether a name is taken; declaring what exists already makes
the broker compare the properties, and name the first that differs. Bindings cannot be asked for at all: one is
missing where an end of it is, and else is not known, which does no harm, because binding again changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from aio_pika.abc import AbstractConnection

from bridge.amqp.topology import declare, exists
from bridge.errors import TopologyMismatchError
from bridge.topology.diff import Finding, State, difference_in
from bridge.topology.model import MAX_PARTITIONS, Binding, Declarations, Exchange, Queue, Topology
from bridge.topology.names import partition_queue

_AT_ONCE: Final = 8


async def compare(connection: AbstractConnection, declarations: Declarations) -> tuple[Finding, ...]:
    """Return how each exchange, queue and binding stands, in their order.

    Raises:
        BrokerTooOldError: Before RabbitMQ 3.10.
        BrokerRefusedError: The user may not ask.
        SessionLostError: The connection was lost meanwhile.
    """
    gate = asyncio.Semaphore(_AT_ONCE)
    items: tuple[Exchange | Queue, ...] = (*declarations.exchanges, *declarations.queues)
    found = await asyncio.gather(*(_compared(connection, item, gate) for item in items))
    states = {(finding.kind, finding.name): finding.state for finding in found}
    return (*found, *(_bound(binding, states) for binding in declarations.bindings))


async def apply(connection: AbstractConnection, declarations: Declarations) -> tuple[Finding, ...]:
    """Declare what is missing and leave alone what differs; return how things stood before.

    Raises:
    """
    findings = await compare(connection, declarations)
    differing = [finding.item for finding in findings if finding.state is State.DIFFERS]
    await declare(
        connection,
        replace(
            declarations,
            exchanges=tuple(each for each in declarations.exchanges if each not in differing),
            queues=tuple(each for each in declarations.queues if each not in differing),
        ),
    )
    return findings


async def surplus(connection: AbstractConnection, topology: Topology) -> tuple[Finding, ...]:
    """Return the partitions beyond those of `topology`, for which a bridge would refuse to start.

    Of each class they are counted on to the first that is not there: each question for a queue that is not costs the
    broker a line in its log.

    Raises:
        BrokerRefusedError: The user may not ask.
        SessionLostError: The connection was lost meanwhile.
    """
    of_classes = [await _beyond(connection, each.name, topology.partitions) for each in topology.classes]
    return tuple(finding for findings in of_classes for finding in findings)


async def _beyond(connection: AbstractConnection, name: str, partitions: int) -> list[Finding]:
    found = []
    for number in range(partitions, MAX_PARTITIONS):
        queue = Queue(partition_queue(name, number))
        if not await exists(connection, queue):
            break
        found.append(Finding(queue, State.SURPLUS, detail=f"only {partitions} partitions are wanted"))
    return found


async def _compared(connection: AbstractConnection, item: Exchange | Queue, gate: asyncio.Semaphore) -> Finding:
    async with gate:
        if not await exists(connection, item):
            return Finding(item, State.MISSING)
        try:
            await declare(connection, _alone(item))
        except TopologyMismatchError as error:
            difference = difference_in(str(error.__cause__))
            return Finding(item, State.DIFFERS, difference, "" if difference else error.detail)
    return Finding(item, State.PRESENT)


def _alone(item: Exchange | Queue) -> Declarations:
    return Declarations(exchanges=(item,)) if isinstance(item, Exchange) else Declarations(queues=(item,))


def _bound(binding: Binding, states: Mapping[tuple[str, str], State]) -> Finding:
    ends = (("exchange", binding.source), (binding.kind, binding.destination))
    missing = any(states.get(end) is State.MISSING for end in ends)
    return Finding(binding, State.MISSING if missing else State.UNKNOWN)

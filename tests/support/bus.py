"""The bus as a foreign producer or an operator uses it: plain aio-pika, nothing of ours."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue

from bridge.topology.layout import partitions
from bridge.topology.model import Topology
from bridge.topology.names import DEAD_LETTERS, INBOX
from contracts.envelope import Event
from contracts.names import EXCHANGE_EVENTS
from tests.support.waiting import eventually

EVENTS = INBOX
TOPOLOGY = Topology(partitions=2)
"""Few partitions, because each is a queue to declare; one key after the other is tested elsewhere."""

__all__ = ["DEAD_LETTERS", "EVENTS", "TOPOLOGY", "Bus", "open_bus"]


class Bus:
    """A connection of the test's own, with confirms."""

    def __init__(self, channel: AbstractChannel) -> None:
        self.channel = channel

    async def publish(self, event: Event, **properties: Any) -> None:
        """Publish an event as a producer does."""
        body = json.dumps(event.to_json()).encode()
        await self.publish_bytes(body, event.type, message_id=event.id, **properties)

    async def publish_many(self, events: Iterable[Event], **properties: Any) -> None:
        """Publish events in this order, some hundred in flight at a time."""
        for batch in batched(events, 500):
            await asyncio.gather(*(self.publish(event, **properties) for event in batch))

    async def publish_bytes(self, body: bytes, routing_key: str, *, mandatory: bool = False, **properties: Any) -> None:
        """Publish any bytes; `mandatory` refuses what no queue takes."""
        message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT, **properties)
        exchange = await self.channel.get_exchange(EXCHANGE_EVENTS, ensure=False)
        await exchange.publish(message, routing_key, mandatory=mandatory)

    async def take(self, queue: str) -> AbstractIncomingMessage:
        """Wait for the next message of a queue and acknowledge it."""
        found = await self.channel.get_queue(queue, ensure=False)
        taken: list[AbstractIncomingMessage] = []

        async def there() -> bool:
            message = await found.get(fail=False)
            taken.extend([message] if message else [])
            return message is not None

        await eventually(there)
        await taken[0].ack()
        return taken[0]

    async def waiting(self, topology: Topology = TOPOLOGY) -> int:
        """Return how many events are ready in all queues that the bridge takes from."""
        return sum([await self.depth(name) for name in (INBOX, *partitions(topology))])

    async def all_taken(self) -> None:
        """Wait until no event is ready in any of them."""

        async def none_waits() -> bool:
            return await self.waiting() == 0

        await eventually(none_waits)

    async def queue(self, name: str) -> AbstractQueue:
        """Look a queue up."""
        return await self.channel.declare_queue(name, passive=True)

    async def becomes(self, name: str, depth: int) -> None:
        """Wait until so many messages are ready in a queue."""

        async def as_deep() -> bool:
            return await self.depth(name) == depth

        await eventually(as_deep)

    async def depth(self, name: str) -> int:
        """Return how many messages are ready in a queue."""
        return (await self.queue(name)).declaration_result.message_count or 0


def batched(events: Iterable[Event], size: int) -> Iterator[list[Event]]:
    """Cut a row of events into lists."""
    rest = iter(events)
    while batch := list(islice(rest, size)):
        yield batch


@asynccontextmanager
async def open_bus(url: str) -> AsyncIterator[Bus]:
    """Connect."""
    connection = await aio_pika.connect(url)
    async with connection, connection.channel(on_return_raises=True) as channel:
        yield Bus(channel)

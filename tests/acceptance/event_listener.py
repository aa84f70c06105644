"""A listener on the event bus: a queue of the test's own, and the events that it received."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractQueue

from contracts.envelope import Event
from contracts.json import Json
from contracts.names import EXCHANGE_EVENTS
from store.database import Database
from store.outbox import outbox_state
from tests.support.waiting import eventually


@dataclass(frozen=True)
class EventListener:
    """Publishes as a foreign service does, and receives what the product publishes."""

    exchange: AbstractExchange
    queue: AbstractQueue
    channel: AbstractChannel

    async def publish(self, kind: str, identity: str, data: Json) -> None:
        """Publish an event in the envelope of the seed, confirmed by the broker."""
        event = Event(identity, kind, "1.0", datetime.now(UTC), "acceptance", data, {"correlation_id": identity})
        body = json.dumps(event.to_json()).encode()
        persistent = aio_pika.DeliveryMode.PERSISTENT
        message = aio_pika.Message(body, message_id=identity, delivery_mode=persistent)
        await self.exchange.publish(message, kind, mandatory=False)

    async def received(self) -> list[dict[str, Any]]:
        """Return the envelopes that came since the last call."""
        found = []
        while (message := await self.queue.get(no_ack=True, fail=False)) is not None:
            found.append(json.loads(message.body))
        return found

    async def ready_messages(self, queue: str) -> int:
        """Return how many messages are ready in a queue."""
        declared = await self.channel.declare_queue(queue, passive=True)
        return declared.declaration_result.message_count or 0


async def wait_for_empty_outbox(database: Database) -> None:
    """Wait until the relay has published everything in the outbox."""

    async def none_waits() -> bool:
        return (await outbox_state(database)).waiting == 0

    await eventually(none_waits)


@asynccontextmanager
async def open_listener(url: str, *patterns: str) -> AsyncIterator[EventListener]:
    """Listen for events whose type matches one of the topic patterns."""
    connection = await aio_pika.connect(url)
    async with connection, connection.channel() as channel:
        exchange = await channel.declare_exchange(EXCHANGE_EVENTS, "topic", durable=True)
        queue = await channel.declare_queue(exclusive=True)
        for pattern in patterns:
            await queue.bind(exchange, pattern)
        yield EventListener(exchange, queue, channel)

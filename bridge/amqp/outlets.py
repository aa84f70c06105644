"""Where a delivery can go on to before it is acknowledged: its partition, a delay queue, the dead letters.

Each is a confirmed publication of a copy, so a crash in between makes two of it and never none. Two copies with one
message id in flight on a channel could hang the client library, so those with one id go one after the other.

A copy that the broker refuses (a full queue), or does not confirm in time (an alarm), is tried again here with growing
delays, on a new channel, and its delivery stays in hand meanwhile: the prefetch limit is what then holds up the queue.
Giving everything back to the broker instead would count as a delivery of all that is in hand, and while a queue of dead
letters is full for some minutes, events with which nothing is wrong would use up the deliveries that they have.
"""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from aio_pika import Message

from bridge.amqp.confirming import ConfirmingChannels
from bridge.amqp.confirms import PublishRefusedError
from bridge.amqp.copies import copy_of
from bridge.amqp.delivery import EXPIRES, OWN_GROUP, SORTED, Delivery
from bridge.amqp.sharing import SharedConnection
from bridge.backoff import delay_seconds
from bridge.errors import PublishUnconfirmedError, SessionLostError
from bridge.lanes import Lanes
from bridge.outcomes import Delayed, Refused
from bridge.sorting import Place
from bridge.topology.layout import direct_headers, priority_headers
from bridge.topology.model import Topology
from bridge.topology.names import (
    ATTEMPTS_HEADER,
    EXCHANGE_DEAD_LETTERS,
    GROUP_HEADER,
    INLET,
    dead_letter_key,
    partition_queue,
    retry_exchange,
)
from contracts.envelope import Event

REASON: Final = "x-saga-reason"
CODE: Final = "x-saga-code"
LAST: Final = "x-saga-last-at"
LETTER: Final = "x-saga-letter"
NO_ID: Final = "x-saga-no-id"
"""The message came without a message id; the one that it has is of its copy alone."""

_MAX_REASON = 2_000
_LETTERS = uuid.UUID("9b1f6f0e-8a55-5d0c-9a3f-0c5b1d1f3e77")
_DEFAULT_EXCHANGE = ""
_log = structlog.get_logger("bridge")


def _untold(_: str) -> None:
    """Nobody counts."""


class Outlets:
    """Publishes copies with confirms; made by `open_outlets`."""

    def __init__(
        self,
        channels: ConfirmingChannels,
        limit: timedelta,
        longest_delay: timedelta = timedelta(seconds=5),
        failed: Callable[[str], None] = _untold,
    ) -> None:
        self._channels, self._limit = channels, limit
        self._longest, self._failed = longest_delay, failed
        self._lanes = Lanes()
        self._closed = False

    def close(self) -> None:
        """Publish nothing more: the session is at its end, and all that is in hand comes again in its order."""
        self._closed = True

    async def sort(self, delivery: Delivery, place: Place, topology: Topology) -> None:
        """Put a message into the partition of its key.

        Raises:
            SessionLostError: The connection is lost, or another delivery could not be answered.
            ServiceUnreachableError: The broker is away.
            UnroutableEventError: No queue takes it.
            UnfitEventError: It cannot be written down.
        """
        priority_class = place.priority_class
        headers: dict[str, Any] = {
            SORTED: "1",
            **direct_headers(place.key, priority_class, topology),
            **priority_headers(delivery.priority, priority_class, topology),
        }
        priority = topology.shared_priority(priority_class)
        if delivery.expires_at is not None:
            headers[EXPIRES] = delivery.expires_at.isoformat()
        if SORTED in delivery.headers:
            # It came back, because its queue is gone; by its name alone that is refused.
            queue = partition_queue(priority_class, topology.partition_of(place.key))
            await self._publish(_DEFAULT_EXCHANGE, delivery, headers, queue, priority)
        else:
            headers[OWN_GROUP] = delivery.headers.get(GROUP_HEADER)
            await self._publish(INLET, delivery, headers, delivery.routing_key, priority)

    async def delay(self, delivery: Delivery, delayed: Delayed) -> None:
        """Let a message come back to its queue after a delay; errors as for `sort`."""
        headers = {ATTEMPTS_HEADER: delivery.attempts + delayed.failed}
        await self._publish(retry_exchange(delayed.level), delivery, headers, delivery.queue)

    async def bury(self, delivery: Delivery, refused: Refused, attempts: int, event: Event | None) -> None:
        """Store a copy of the message as a dead letter; errors as for `sort`."""
        headers: Mapping[str, str | int] = {
            REASON: refused.reason[:_MAX_REASON],
            CODE: refused.code,
            ATTEMPTS_HEADER: delivery.earlier + attempts,
            LAST: datetime.now(UTC).isoformat(),
            LETTER: _letter_id(delivery, refused, event),
        }
        key = dead_letter_key(delivery.queue)
        await self._publish(EXCHANGE_DEAD_LETTERS, delivery, headers, key)

    async def _publish(
        self, exchange: str, delivery: Delivery, headers: Mapping[str, Any], key: str, priority: int | None = None
    ) -> None:
        message = copy_of(delivery, headers)
        if priority is not None:
            message.priority = priority
        if not message.message_id:
            # The client library would make one up, unseen; and in one lane those without would wait for each other.
            message.message_id, message.headers[NO_ID] = uuid.uuid4().hex, "1"
        failures = 0
        # The lane is held between the tries as well: nothing with this id may go before it.
        async with self._lanes.through([message.message_id]):
            while not await self._took(exchange, delivery, message, key, failures):
                failures += 1
                await asyncio.sleep(delay_seconds(failures, self._longest))
        if failures:
            _log.info("copy_taken", exchange=exchange, routing_key=key, tries=failures + 1)

    async def _took(self, exchange: str, delivery: Delivery, message: Message, key: str, failures: int) -> bool:
        """Try once, and tell whether the broker has it."""
        await delivery.lease()
        if self._closed:
            raise SessionLostError("Another delivery could not be answered.")
        try:
            async with self._channels.one() as channel:
                await channel.publish(exchange, message, key, self._limit)
        except PublishUnconfirmedError as error:
            self._failed("refused" if isinstance(error, PublishRefusedError) else "unconfirmed")
            if failures == 0:
                _log.warning("copy_waits", exchange=exchange, routing_key=key, error=str(error))
            return False
        return True


@asynccontextmanager
async def open_outlets(
    shared: SharedConnection,
    limit: timedelta,
    longest_delay: timedelta,
    *,
    lost: Callable[[str], None],
    failed: Callable[[str], None] = _untold,
) -> AsyncIterator[Outlets]:
    """Hold outlets inside the block; they are closed at its end.

    Args:
        shared: The connection to publish on.
        limit: How long a confirm may take.
        longest_delay: Upper limit of the delay between tries.
        lost: Told why, when the channel in use closes by itself.
        failed: Told `refused` or `unconfirmed` for each try that did not succeed. Must not block.

    Raises:
        ServiceUnreachableError: The broker is away.
        BrokerRefusedError: It does not let us in.
    """
    channels = ConfirmingChannels(shared, closed=lambda error: lost(f"a channel closed: {error}"))
    await channels.opened()
    outlets = Outlets(channels, limit, longest_delay, failed)
    try:
        yield outlets
    finally:
        outlets.close()
        await channels.close()


def _letter_id(delivery: Delivery, refused: Refused, event: Event | None) -> str:
    """The same for each copy of one refusal, another for another content and for each replay of the event."""
    parts = [hashlib.sha256(delivery.body).hexdigest(), delivery.routing_key, str(delivery.attempts)]
    parts += [str(delivery.message.message_id)] if event is None else [event.identity, event.replay_id or ""]
    return str(uuid.uuid5(_LETTERS, "\n".join([refused.code, *parts])))

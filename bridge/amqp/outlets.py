"""Where a delivery can go on to before it is acknowledged: its partition, a delay queue, the dead letters.

Each is a confirmed publication of a copy, so a crash in between makes two of it and never none. Two copies with one
message id in flight on a channel could hang the client library, so those with one id go one after the other.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aio_pika.abc import AbstractChannel, AbstractExchange

from bridge.amqp.confirms import publish_confirmed
from bridge.amqp.copies import copy_of
from bridge.amqp.delivery import EXPIRES, OWN_GROUP, SORTED, Delivery
from bridge.errors import SessionLostError
from bridge.lanes import Lanes
from bridge.outcomes import Delayed, Refused
from bridge.sorting import Place
from bridge.topology.layout import direct_headers
from bridge.topology.model import Topology
from bridge.topology.names import (
    ATTEMPTS_HEADER,
    EXCHANGE_DEAD_LETTERS,
    GROUP_HEADER,
    INLET,
    RETRY_DELAYS,
    dead_letter_key,
    partition_queue,
    retry_exchange,
)
from contracts.envelope import Event

REASON: Final = "x-saga-reason"
CODE: Final = "x-saga-code"
LAST: Final = "x-saga-last-at"
LETTER: Final = "x-saga-letter"

_MAX_REASON = 2_000
_LETTERS = uuid.UUID("9b1f6f0e-8a55-5d0c-9a3f-0c5b1d1f3e77")


class Outlets:
    """Publishes copies on one channel with confirms; made by `open_outlets`."""

    def __init__(self, default: AbstractExchange, exchanges: dict[str, AbstractExchange], limit: timedelta) -> None:
        self._default, self._exchanges, self._limit = default, exchanges, limit
        self._lanes = Lanes()
        self._closed = False

    def close(self) -> None:
        """Publish nothing more: the session is at its end, and all that is in hand comes again in its order."""
        self._closed = True

    async def sort(self, delivery: Delivery, place: Place, topology: Topology) -> None:
        """Put a message into the partition of its key; errors as for `publish_confirmed`."""
        headers: dict[str, Any] = {SORTED: "1", **direct_headers(place.key, place.priority_class, topology)}
        if delivery.expires_at is not None:
            headers[EXPIRES] = delivery.expires_at.isoformat()
        if SORTED in delivery.headers:
            # It came back, because its queue is gone; by its name alone that is refused.
            queue = partition_queue(place.priority_class, topology.partition_of(place.key))
            await self._publish(self._default, delivery, headers, queue)
        else:
            headers[OWN_GROUP] = delivery.headers.get(GROUP_HEADER)
            await self._publish(self._exchanges[INLET], delivery, headers, delivery.routing_key)

    async def delay(self, delivery: Delivery, delayed: Delayed) -> None:
        """Let a message come back to its queue after a delay; errors as for `publish_confirmed`."""
        headers = {ATTEMPTS_HEADER: delivery.attempts + delayed.failed}
        await self._publish(self._exchanges[retry_exchange(delayed.level)], delivery, headers, delivery.queue)

    async def bury(self, delivery: Delivery, refused: Refused, attempts: int, event: Event | None) -> None:
        """Store a copy of the message as a dead letter; errors as for `publish_confirmed`."""
        headers: Mapping[str, str | int] = {
            REASON: refused.reason[:_MAX_REASON],
            CODE: refused.code,
            ATTEMPTS_HEADER: delivery.earlier + attempts,
            LAST: datetime.now(UTC).isoformat(),
            LETTER: _letter_id(delivery, refused, event),
        }
        key = dead_letter_key(delivery.queue)
        await self._publish(self._exchanges[EXCHANGE_DEAD_LETTERS], delivery, headers, key)

    async def _publish(
        self, exchange: AbstractExchange, delivery: Delivery, headers: Mapping[str, Any], key: str
    ) -> None:
        message = copy_of(delivery, headers)
        async with self._lanes.through([message.message_id or ""]):
            await delivery.lease()
            if self._closed:
                raise SessionLostError("Another delivery could not be answered.")
            await publish_confirmed(exchange, message, key, self._limit)


async def open_outlets(channel: AbstractChannel, limit: timedelta) -> Outlets:
    """Make the outlets of a channel with confirms and `on_return_raises`; `limit` is how long a confirm may take."""
    names = [
        EXCHANGE_DEAD_LETTERS,
        INLET,
        *(retry_exchange(level) for level in range(len(RETRY_DELAYS))),
    ]
    exchanges = {name: await channel.get_exchange(name, ensure=False) for name in names}
    return Outlets(channel.default_exchange, exchanges, limit)


def _letter_id(delivery: Delivery, refused: Refused, event: Event | None) -> str:
    """The same for each copy of one refusal, another for another content and for each replay of the event."""
    parts = [hashlib.sha256(delivery.body).hexdigest(), delivery.routing_key, str(delivery.attempts)]
    parts += [str(delivery.message.message_id)] if event is None else [event.identity, event.replay_id or ""]
    return str(uuid.uuid5(_LETTERS, "\n".join([refused.code, *parts])))

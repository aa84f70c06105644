"""How many messages wait in each queue and who consumes them, asked of the broker itself.

A passive declaration answers with both numbers on every broker, without the management plugin and without its
password. The channel is the sampler's own, because asking for a queue that is not there closes the channel: the next
queue is then asked for on another one. While the broker is away the last numbers would be a lie, so there are none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelClosed

from bridge.amqp.connection import LOST
from bridge.amqp.sharing import SharedConnection
from bridge.chores import every
from bridge.topology.layout import partitions
from bridge.topology.model import Topology
from bridge.topology.names import DEAD_LETTERS, INBOX, RETRY_DELAYS, UNROUTED, retry_exchange
from contracts.errors import SagaError

_EVERY: Final = timedelta(seconds=5)
_ANSWER_SECONDS: Final = 10
_log = structlog.get_logger("bridge")


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """One queue as the broker sees it: messages that are ready (not those in hand), and consumers."""

    name: str
    messages: int
    consumers: int


def queues_of(topology: Topology) -> tuple[str, ...]:
    """Return the queues that are ours, in the order of an event's way."""
    retries = (retry_exchange(level) for level in range(len(RETRY_DELAYS)))
    return INBOX, *partitions(topology), *retries, DEAD_LETTERS, UNROUTED


def consumed_queues_of(topology: Topology) -> tuple[str, ...]:
    """Return those of them that bridges consume."""
    return INBOX, *partitions(topology), DEAD_LETTERS


class Depths:
    """The latest numbers: `sample` asks once, `run` every few seconds, `read` answers from memory."""

    def __init__(self, shared: SharedConnection, names: Callable[[], Sequence[str]]) -> None:
        """Know nothing yet.

        Args:
            shared: The connection; one channel of it is used.
            names: Gives the queues; asked anew each time.
        """
        self._shared, self._names = shared, names
        self._latest: tuple[QueueDepth, ...] = ()

    def read(self) -> tuple[QueueDepth, ...]:
        """Return the latest numbers, without those of queues that are not there; may be called from any thread."""
        return self._latest

    async def run(self, stop: asyncio.Event, interval: timedelta = _EVERY) -> None:
        """Keep the numbers up to date until `stop`."""
        await self.sample()
        while await every(interval, stop):
            await self.sample()

    async def sample(self) -> None:
        """Ask once; a broker that is away leaves no numbers."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                self._latest = await self._ask()
        except (TimeoutError, SagaError, *LOST) as error:
            self._latest = ()
            _log.debug("depths_unknown", error=str(error) or type(error).__name__)

    async def _ask(self) -> tuple[QueueDepth, ...]:
        return await depths_of(lambda: self._shared.holding(confirms=False), self._names())


async def depths_of(
    channel: Callable[[], AbstractAsyncContextManager[AbstractChannel]], names: Sequence[str]
) -> tuple[QueueDepth, ...]:
    """Ask for queues once, and return the numbers of those that are there; `channel` opens one for us each time."""
    found: list[QueueDepth] = []
    left = list(names)
    while left:
        async with channel() as opened:
            found += await _until_missing(opened, left)
    return tuple(found)


async def _until_missing(channel: AbstractChannel, left: list[str]) -> list[QueueDepth]:
    """Take names from `left` and ask for them, up to one that is not there: then the channel is closed."""
    found: list[QueueDepth] = []
    while left:
        try:
            answer = (await channel.declare_queue(left.pop(0), passive=True)).declaration_result
        except ChannelClosed:
            break
        found.append(QueueDepth(str(answer.queue), answer.message_count or 0, answer.consumer_count or 0))
    return found

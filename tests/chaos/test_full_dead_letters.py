"""Dead letters have no room: an operator's queue beside ours takes none, under load and while bridges are killed.

Messages wait in the queues that they came from, everything else goes on as far as the prefetch reaches, and once the
queue was drained each letter is there once. What the broker itself puts aside waits in its source as well.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from aio_pika import Message
from pamqp.common import FieldTable

from bridge.amqp.sharing import sharing
from bridge.amqp.topology import declare
from bridge.topology.layout import direct_headers, layout
from bridge.topology.model import Topology
from bridge.topology.names import DEAD_LETTERS, EXCHANGE_DEAD_LETTERS, dead_letter_key, partition_queue
from tests.bridge.library import event
from tests.chaos.environment import ChaosEnvironment
from tests.chaos.size import sized
from tests.support.bus import Bus, open_bus

pytestmark = pytest.mark.fault

SOME_LETTERS = {"quick": 4, "signals": 2, "poison": 3, "malformed": 2, "conflict": 2}
_ROOM = 3
_EXPIRED = 20
_OURS = dead_letter_key("#")
_SHORT_LIVED = Topology(partitions=1, message_ttl=timedelta(milliseconds=200))


@asynccontextmanager
async def full_dead_letters(bus: Bus) -> AsyncIterator[None]:
    """Have an operator's queue at `dlx` that refuses, and there alone, until the block ends or a bridge starts."""
    arguments: FieldTable = {"x-max-length": _ROOM, "x-overflow": "reject-publish", "x-queue-type": "quorum"}
    queue = await bus.channel.declare_queue("audit", durable=True, arguments=arguments)
    for _ in range(_ROOM + 1):
        await bus.channel.default_exchange.publish(Message(b"old"), "audit", mandatory=True)
    await queue.bind(EXCHANGE_DEAD_LETTERS, "#")
    ours = await bus.queue(DEAD_LETTERS)
    await ours.unbind(EXCHANGE_DEAD_LETTERS, _OURS)
    yield
    await ours.bind(EXCHANGE_DEAD_LETTERS, _OURS)
    await queue.delete(if_unused=False, if_empty=False)


async def test_full_queue_at_the_dead_letters_loses_nothing(env: ChaosEnvironment) -> None:
    """Bridges are killed with letters in hand that nothing takes; after draining all are there, and all others are."""
    await env.bridges.started()
    async with env.loading(kinds=SOME_LETTERS) as load, open_bus(env.amqp_url) as bus:
        for _ in range(sized(1, 5)):
            await load.wait_for_confirms(sized(20, 100))
            async with full_dead_letters(bus):
                await load.wait_for_confirms(sized(40, 200))
                await env.bridges.one_says("copy_waits")
                await env.bridges.running[-1].kill()
                env.ledger.notes["kills"] += 1
                await env.bridges.started()
                await env.bridges.one_says("copy_waits")
            env.ledger.notes["drained"] += 1
            await env.recovered()
        await load.wait_for_confirms(sized(20, 100))
    await env.check()


async def _all_come(bus: Bus) -> None:
    """Take letters until each event is there; the broker may put one aside twice."""
    found: set[str | None] = set()
    while len(found) < _EXPIRED:
        found.add((await bus.take(DEAD_LETTERS)).message_id)
    assert found == {f"late-{number}" for number in range(_EXPIRED)}


async def test_broker_keeps_what_it_cannot_put_aside(amqp_url: str, bus: Bus) -> None:
    """Events whose time in their queue is over are not lost while the letters have no room: all come out after it."""
    async with sharing(amqp_url, "test") as shared:
        await declare(await shared.opened(), layout(_SHORT_LIVED, ("#",), timedelta(days=7)))
    source = partition_queue("low", 0)
    async with full_dead_letters(bus):
        headers = direct_headers("g", "low", _SHORT_LIVED)
        await bus.publish_many((event("a.b", {}, f"late-{number}") for number in range(_EXPIRED)), headers=headers)
        await bus.becomes(source, 0)
        assert await bus.depth(DEAD_LETTERS) == 0
    await _all_come(bus)

"""The outbox: an effect and its event are there together or not at all, whatever is killed before the bus has it."""

from __future__ import annotations

import asyncio

import pytest

from contracts.names import EXCHANGE_EVENTS
from tests.chaos.environment import ChaosEnvironment
from tests.chaos.servers import Servers
from tests.chaos.size import sized
from tests.support.bus import Bus, open_bus

pytestmark = pytest.mark.fault

_LISTENER = "listener"
_CHANGES = "select event_id from public.changes"


async def _bind_queue(bus: Bus) -> None:
    """Have a queue that takes all events, as another consumer has."""
    queue = await bus.channel.declare_queue(_LISTENER, durable=True, arguments={"x-queue-type": "quorum"})
    await queue.bind(EXCHANGE_EVENTS, "#")


async def _received(bus: Bus) -> list[str]:
    queue = await bus.queue(_LISTENER)
    received = []
    while message := await queue.get(fail=False, no_ack=True):
        received.append(message.message_id or "")
    return received


async def test_every_committed_event_is_published_and_no_other(
    servers: Servers, env_on_own_servers: ChaosEnvironment
) -> None:
    """The relay is killed between publishing and noting that, and the broker is away meanwhile."""
    env = env_on_own_servers
    await (await env.bridges.started()).stop()
    async with open_bus(env.amqp_url) as bus:
        await _bind_queue(bus)
    async with env.loading(routes=("outbox",), kinds={"quick": 5, "twice": 1, "rolled_back": 3}) as load:
        for count in range(sized(2, 8)):
            await (await env.bridges.start("after-publish", count + 1)).died()
            env.ledger.notes["kills"] += 1
        await env.bridges.started()
        await servers.broker.kill()
        env.ledger.notes["outages"] += 1
        await load.wait_for_confirms(sized(30, 300))
        await asyncio.sleep(2)  # the outage itself
        await servers.broker.start()
        await env.recovered()
    await env.check()
    async with open_bus(env.amqp_url) as bus:
        received = await _received(bus)
    changed = {row["event_id"] for row in await env.state_reader.database.fetch(_CHANGES)}
    assert changed == {one for one in env.ledger.confirmed if "-probe-" not in one}
    assert {one for one in received if "-probe-" not in one} == changed, "what was received is not what was committed"

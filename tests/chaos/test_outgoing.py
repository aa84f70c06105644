"""The way out: an effect and its event are there together or not at all, whatever dies on the way to the bus."""

from __future__ import annotations

import asyncio

from contracts.names import EXCHANGE_EVENTS
from tests.bridge.bus import Bus, open_bus
from tests.chaos.servers import Servers
from tests.chaos.size import sized
from tests.chaos.stage import Stage

_LISTENER = "listener"
_CHANGES = "select event_id from public.changes"


async def _listen(bus: Bus) -> None:
    """Have a queue that takes all events, as another consumer has."""
    queue = await bus.channel.declare_queue(_LISTENER, durable=True, arguments={"x-queue-type": "quorum"})
    await queue.bind(EXCHANGE_EVENTS, "#")


async def _heard(bus: Bus) -> list[str]:
    queue = await bus.queue(_LISTENER)
    heard = []
    while message := await queue.get(fail=False, no_ack=True):
        heard.append(message.message_id or "")
    return heard


async def test_every_committed_event_is_published_and_no_other(servers: Servers, own_stage: Stage) -> None:
    """The relay is killed between publishing and noting that, and the broker is away meanwhile."""
    stage = own_stage
    await (await stage.bridges.started()).stop()
    async with open_bus(stage.amqp_url) as bus:
        await _listen(bus)
    async with stage.loading(ways=("outbox",), kinds={"quick": 5, "twice": 1, "rolled_back": 3}) as load:
        for count in range(sized(2, 8)):
            await (await stage.bridges.start("after-publish", count + 1)).died()
            stage.ledger.notes["kills"] += 1
        await stage.bridges.started()
        await servers.broker.kill()
        stage.ledger.notes["outages"] += 1
        await load.passes(sized(30, 300))
        await asyncio.sleep(2)  # the outage itself
        await servers.broker.start()
        await stage.recovered()
    await stage.check()
    async with open_bus(stage.amqp_url) as bus:
        heard = await _heard(bus)
    changed = {row["event_id"] for row in await stage.truth.database.fetch(_CHANGES)}
    assert changed == {one for one in stage.ledger.confirmed if "-probe-" not in one}
    assert {one for one in heard if "-probe-" not in one} == changed, "what was heard is not what was committed"

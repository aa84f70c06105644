"""A broker that is out of memory: the bridge is what can drain it, so nothing may keep it from that."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from temporalio.client import Client

from bridge.topology.names import CLASS_HEADER, GROUP_HEADER
from tests.bridge.bus import open_bus
from tests.bridge.library import event
from tests.bridge.waiting import eventually
from tests.bridge.world import open_world
from tests.services.rabbitmq import Broker, own_folder, own_node

WAITING = 300
DIRECT = {GROUP_HEADER: "g", CLASS_HEADER: "low"}


@pytest.fixture
async def node() -> AsyncIterator[Broker]:
    """A node of this test's own: an alarm blocks all who publish there."""
    with own_folder() as folder:
        async with own_node(folder) as running:
            yield running


async def _raise_alarm(node: Broker) -> None:
    await node.control("set_vm_memory_high_watermark", "0.000001")

    async def raised() -> bool:
        return "memory" in await node.control("eval", "rabbit_alarm:get_alarms().")

    await eventually(raised)


async def test_bridge_drains_a_broker_in_a_memory_alarm(node: Broker, client: Client, postgres_url: str) -> None:
    """What has to be published waits for the end of the alarm; what is in the partitions is handled meanwhile."""
    url = await node.fresh_url()
    async with open_world(client, url, postgres_url) as world:
        async with world.bridge():
            pass
        async with open_bus(url) as bus:
            await bus.publish(event("quick.go", {"id": (key := world.key())}, key))
            await bus.publish_many((event("nobody.cares", {}, str(n)) for n in range(WAITING)), headers=DIRECT)
        await _raise_alarm(node)
        # So patient that no new session comes to the rescue of one that is stuck.
        async with world.bridge(publish_timeout=timedelta(minutes=10)):
            await world.outcomes.until(WAITING)
            assert {outcome.word for outcome in world.outcomes} == {"unrouted"}
            await node.control("set_vm_memory_high_watermark", "0.9")
            await world.outcomes.until(WAITING + 1)
            assert await world.finished(f"quick/{key}") == 1

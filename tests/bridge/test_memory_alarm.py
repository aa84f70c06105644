"""A broker that is out of memory: the bridge is what can drain it, so nothing may keep it from that."""

from __future__ import annotations

from datetime import timedelta

import pytest
from temporalio.client import Client

from bridge.topology.layout import direct_headers
from tests.bridge.environment import open_environment
from tests.bridge.library import event
from tests.support.bus import TOPOLOGY, open_bus
from tests.support.services.rabbitmq import Broker
from tests.support.waiting import eventually

pytestmark = pytest.mark.fault

WAITING = 300
DIRECT = direct_headers("g", "low", TOPOLOGY)


async def _raise_alarm(own_broker: Broker) -> None:
    await own_broker.control("set_vm_memory_high_watermark", "0.000001")

    async def raised() -> bool:
        return "memory" in await own_broker.control("eval", "rabbit_alarm:get_alarms().")

    await eventually(raised)


async def test_bridge_drains_a_broker_in_a_memory_alarm(own_broker: Broker, client: Client, postgres_url: str) -> None:
    """What has to be published waits for the end of the alarm; what is in the partitions is handled meanwhile."""
    url = await own_broker.fresh_url()
    async with open_environment(client, url, postgres_url) as env:
        async with env.bridge():
            pass
        async with open_bus(url) as bus:
            await bus.publish(event("quick.go", {"id": (key := env.key())}, key))
            await bus.publish_many((event("nobody.cares", {}, str(n)) for n in range(WAITING)), headers=DIRECT)
        await _raise_alarm(own_broker)
        # So patient that no new session comes to the rescue of one that is stuck.
        async with env.bridge(publish_timeout=timedelta(minutes=10)):
            await env.outcomes.until(WAITING)
            assert {outcome.word for outcome in env.outcomes} == {"unrouted"}
            await own_broker.control("set_vm_memory_high_watermark", "0.9")
            await env.outcomes.until(WAITING + 1)
            assert await env.finished(f"quick/{key}") == 1

"""A connection that breaks at any moment, mostly while the bridge declares, opens and yields."""

from __future__ import annotations

import asyncio
import os
import random
import uuid
from datetime import timedelta

import pytest

from store import bridges
from tests.bridge.environment import BridgeEnvironment
from tests.bridge.library import event
from tests.support.bus import Bus
from tests.support.proxy import Proxy, amqp_proxy
from tests.support.waiting import eventually

pytestmark = pytest.mark.fault

CUTS, EVENTS = 40, 5
LONGEST_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.4)
QUICK = timedelta(milliseconds=50)


async def _flap(line: Proxy, chance: random.Random) -> None:
    await asyncio.sleep(chance.random() * chance.choice(LONGEST_SECONDS))
    line.cut()
    await asyncio.sleep(chance.random() * 0.02)
    line.mend()


async def _come_and_go(env: BridgeEnvironment, chance: random.Random) -> None:
    """Change the share of the bridge, so that it yields queues."""
    identity = uuid.UUID(int=chance.getrandbits(128))
    await bridges.beat(env.database, identity, "elsewhere", 1, chance.random() < 0.7, {})
    if chance.random() < 0.5:
        await bridges.leave(env.database, identity)


async def test_bridge_outlives_cuts_at_random_moments(env: BridgeEnvironment, bus: Bus) -> None:
    """It neither ends nor hangs, and every event is handled."""
    seed = int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}")
    chance, published = random.Random(seed), set[str]()  # noqa: S311 - guards nothing

    async def all_handled() -> bool:
        return published <= {outcome.event_id for outcome in env.outcomes}

    async with (
        amqp_proxy(env.amqp_url) as (line, url),
        env.bridge(url=url, longest_reconnect=QUICK, sign_of_life=QUICK) as bridge,
    ):
        ended = asyncio.ensure_future(bridge.ended())
        for cut in range(CUTS):
            fresh = [f"{cut}-{number}" for number in range(EVENTS)]
            await bus.publish_many(event("nobody.cares", {}, identity) for identity in fresh)
            published |= set(fresh)
            await _come_and_go(env, chance)
            await _flap(line, chance)
            assert not ended.done(), ended
        await eventually(all_handled)
        await bus.all_taken()
        assert not ended.done(), ended
        ended.cancel()

"""A server dies under load and is started again with what it has on its disk."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.chaos.environment import ChaosEnvironment
from tests.chaos.servers import Server, Servers
from tests.chaos.size import FULL, SEED, sized

pytestmark = pytest.mark.fault

_ANY: Sequence[Mapping[str, Any]] = ({},)
_THREE_PRODUCERS: Sequence[Mapping[str, Any]] = ({"producers": 3},)
_OUTAGES = [(5, 0), *([(5, 5, 5), (0,) * 10, (120,) * 2] if FULL else [])]
_CONSUMING_WITHIN_SECONDS = 30
_MONKEY_SECONDS = sized(25, 600)
_APART_SECONDS = sized((5, 9), (5, 40))


async def _killed_for(
    server: Server, env: ChaosEnvironment, outages: Sequence[float], *, loads: Sequence[Mapping[str, Any]] = _ANY
) -> None:
    """Kill a server under load, keep it away for so many seconds, and let everything go on; so for each outage."""
    await env.bridges.started()
    async with AsyncExitStack() as loading:
        [load, *_] = [await loading.enter_async_context(env.loading(**one)) for one in loads]
        for seconds in outages:
            await load.wait_for_confirms(sized(40, 300))
            await server.kill()
            env.ledger.notes["outages"] += 1
            await asyncio.sleep(seconds)  # the outage itself
            await server.start()
            await asyncio.gather(env.recovered(), env.consumes_all())
        await load.wait_for_confirms(sized(30, 300))
    await env.check()


@pytest.mark.parametrize("outages", _OUTAGES, ids=lambda outages: f"{len(outages)}-times-{outages[0]}-s")
async def test_broker_that_is_killed_loses_nothing(
    servers: Servers, env_on_own_servers: ChaosEnvironment, outages: Sequence[float]
) -> None:
    """What was confirmed is there when the broker comes back; producers repeat what was not, and bridges consume."""
    env = env_on_own_servers
    await _killed_for(servers.broker, env, outages, loads=_THREE_PRODUCERS)
    assert len(env.ledger.consumed) == len(outages)
    if FULL:
        assert max(env.ledger.consumed) < _CONSUMING_WITHIN_SECONDS, env.ledger.consumed


async def test_temporal_that_is_killed_loses_nothing(servers: Servers, env_on_own_servers: ChaosEnvironment) -> None:
    """Events stay unacknowledged and in their queues until the server is back with its file."""
    await _killed_for(servers.temporal, env_on_own_servers, sized((2,), (10, 10, 10)))


async def test_postgresql_that_is_stopped_again_and_again_loses_nothing(
    servers: Servers, env_on_own_servers: ChaosEnvironment
) -> None:
    """Every few seconds it is away for up to two, also while all still recover: the counts are exact."""
    env, clock = env_on_own_servers, asyncio.get_running_loop().time
    chance = random.Random(f"{SEED}-postgres")  # noqa: S311 - faults, not secrets
    await env.bridges.started()
    end = clock() + _MONKEY_SECONDS
    async with env.loading() as load:
        while clock() < end:
            await asyncio.sleep(chance.uniform(*_APART_SECONDS))  # the rhythm of the faults is what is tested
            await servers.postgres.kill()
            env.ledger.notes["outages"] += 1
            await asyncio.sleep(chance.uniform(0, 2))  # the outage itself
            await servers.postgres.start()
        await env.recovered()
        await load.wait_for_confirms(sized(30, 300))
    await env.check()

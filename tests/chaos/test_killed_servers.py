"""A server dies under load and is started again with what it has on its disk."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.chaos.environment import ChaosEnvironment
from tests.chaos.servers import Server, Servers
from tests.chaos.size import FULL, sized

pytestmark = pytest.mark.fault

_LONG = [120] if FULL else []
_ANY: Sequence[Mapping[str, Any]] = ({},)
_THREE_PRODUCERS: Sequence[Mapping[str, Any]] = ({"producers": 3},)


async def _killed_for(
    server: Server, env: ChaosEnvironment, seconds: float, *, loads: Sequence[Mapping[str, Any]] = _ANY
) -> None:
    """Kill a server under load, keep it away for so long, and let everything go on."""
    await env.bridges.started()
    async with AsyncExitStack() as loading:
        [load, *_] = [await loading.enter_async_context(env.loading(**one)) for one in loads]
        for _ in range(sized(1, 3)):
            await load.wait_for_confirms(sized(60, 300))
            await server.kill()
            env.ledger.notes["outages"] += 1
            await asyncio.sleep(seconds)  # the outage itself
            await server.start()
            await env.recovered()
        await load.wait_for_confirms(sized(30, 300))
    await env.check()


@pytest.mark.parametrize("seconds", [5, *_LONG])
async def test_broker_that_is_killed_loses_nothing(
    servers: Servers, env_on_own_servers: ChaosEnvironment, seconds: int
) -> None:
    """What was confirmed is there when the broker comes back; producers repeat what was not."""
    await _killed_for(servers.broker, env_on_own_servers, seconds, loads=_THREE_PRODUCERS)


async def test_temporal_that_is_killed_loses_nothing(servers: Servers, env_on_own_servers: ChaosEnvironment) -> None:
    """Events stay unacknowledged and in their queues until the server is back with its file."""
    await _killed_for(servers.temporal, env_on_own_servers, sized(2, 10))


async def test_postgresql_that_is_stopped_at_once_loses_nothing(
    servers: Servers, env_on_own_servers: ChaosEnvironment
) -> None:
    """What was in flight when PostgreSQL stopped is recorded and marked once it is back."""
    await _killed_for(servers.postgres, env_on_own_servers, sized(2, 10))

"""A server dies under load and is started again with what it has on its disk."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.chaos.servers import Server, Servers
from tests.chaos.size import FULL, sized
from tests.chaos.stage import Stage

_LONG = [120] if FULL else []
_ANY: Sequence[Mapping[str, Any]] = ({},)
_AT_THE_BROKER: Sequence[Mapping[str, Any]] = ({"lanes": 3},)


async def _killed_for(
    server: Server, stage: Stage, seconds: float, *, loads: Sequence[Mapping[str, Any]] = _ANY
) -> None:
    """Kill a server under load, keep it away for so long, and let everything go on."""
    await stage.bridges.started()
    async with AsyncExitStack() as loading:
        [load, *_] = [await loading.enter_async_context(stage.loading(**one)) for one in loads]
        for _ in range(sized(1, 3)):
            await load.passes(sized(60, 300))
            await server.kill()
            stage.ledger.notes["outages"] += 1
            await asyncio.sleep(seconds)  # the outage itself
            await server.start()
            await stage.recovered()
        await load.passes(sized(30, 300))
    await stage.check()


@pytest.mark.parametrize("seconds", [5, *_LONG])
async def test_broker_that_is_killed_loses_nothing(servers: Servers, own_stage: Stage, seconds: int) -> None:
    """What was confirmed is there when the broker comes back; producers repeat what was not."""
    await _killed_for(servers.broker, own_stage, seconds, loads=_AT_THE_BROKER)


async def test_temporal_that_is_killed_loses_nothing(servers: Servers, own_stage: Stage) -> None:
    """Events wait in hand and in their queues until the server is back with its file."""
    await _killed_for(servers.temporal, own_stage, sized(2, 10))


async def test_postgresql_that_is_stopped_at_once_loses_nothing(servers: Servers, own_stage: Stage) -> None:
    """Whatever was on its way when the store went away is recorded and marked once it is back."""
    await _killed_for(servers.postgres, own_stage, sized(2, 10))

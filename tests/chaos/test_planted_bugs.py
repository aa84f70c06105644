"""The suite finds bugs: two are planted, and the ledger must show each."""

from __future__ import annotations

import pytest

from tests.chaos.environment import ChaosEnvironment

pytestmark = pytest.mark.fault

_STANDSTILL = 8.0


async def test_bridge_that_acknowledges_first_is_caught(env: ChaosEnvironment) -> None:
    """Killed with events in hand that it has acknowledged already, it has lost them."""
    async with env.loading(kinds={"quick": 1}, routes=("sorted", "marked")) as load:
        for point in ("after-consume", "after-record"):
            await (await env.bridges.start(point, 10, bug="acknowledge-first")).died()
        await env.bridges.started(bug="acknowledge-first")
        await load.wait_for_confirms(20)
    found, findings = await env.settle(_STANDSTILL)
    assert findings.lost, env.ledger.report(found, findings)


async def test_bridge_without_deduplication_is_caught(env: ChaosEnvironment) -> None:
    """A repetition that comes when another run with the same key has ended starts a run that was not expected."""
    await env.bridges.started(bug="no-deduplication")
    async with env.loading(kinds={"quick": 1, "twice": 2}, routes=("sorted", "marked")) as load:
        await load.wait_for_confirms(60)
    found, findings = await env.settle(_STANDSTILL)
    assert not findings.lost and findings.duplicated, env.ledger.report(found, findings)

"""The suite finds bugs: some are planted, and the ledger must show each."""

from __future__ import annotations

import pytest

from tests.chaos.environment import ChaosEnvironment
from tests.chaos.test_full_dead_letters import full_dead_letters
from tests.support.bus import open_bus
from tests.support.proxy import amqp_proxy

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
    """A repetition after another run with its key has ended, and another event with its id, start runs of their own."""
    await env.bridges.started(bug="no-deduplication")
    async with env.loading(kinds={"quick": 1, "twice": 2, "conflict": 1}, routes=("sorted", "marked")) as load:
        await load.wait_for_confirms(60)
    found, findings = await env.settle(_STANDSTILL)
    report = env.ledger.report(found, findings)
    assert not [each for each in findings.lost if "-conflict" not in each], report
    assert [each for each in findings.duplicated if "-other " not in each], report
    assert [each for each in findings.duplicated if "-other " in each], report


async def test_bridge_that_stays_cut_off_is_caught(env: ChaosEnvironment) -> None:
    """The way to the broker is cut for a moment: all that comes afterwards is lost, although it was confirmed."""
    async with amqp_proxy(env.amqp_url) as (line, url):
        await env.bridges.through(amqp=url).started(bug="one-session")
        async with env.loading(kinds={"quick": 1}, routes=("sorted", "marked")) as load:
            await load.wait_for_confirms(20)
            line.cut()
            line.mend()
            await load.wait_for_confirms(20)
        assert await env.state_reader.unconsumed()
        found, findings = await env.settle(_STANDSTILL)
    assert findings.lost, env.ledger.report(found, findings)


async def test_bridge_that_forgets_letters_is_caught(env: ChaosEnvironment) -> None:
    """What the dead letters had no room for is missing, though its event is handled."""
    await env.bridges.started(bug="no-letters")
    loading = env.loading(kinds={"quick": 1, "poison": 2}, routes=("sorted", "marked"))
    async with open_bus(env.amqp_url) as bus, full_dead_letters(bus), loading as load:
        await load.wait_for_confirms(30)
    found, findings = await env.settle(_STANDSTILL)
    missing = [each for each in findings.lost if each.endswith("is not among the dead letters")]
    assert missing, env.ledger.report(found, findings)

"""The suite finds bugs: two are planted, and the books must show each."""

from __future__ import annotations

from tests.chaos.stage import Stage

_STANDSTILL = 8.0


async def test_bridge_that_acknowledges_first_is_caught(stage: Stage) -> None:
    """Killed with events in hand that it has acknowledged already, it has lost them."""
    async with stage.loading(kinds={"quick": 1}, ways=("sorted", "marked")) as load:
        for point in ("after-consume", "after-record"):
            await (await stage.bridges.start(point, 10, plant="acknowledges-first")).died()
        await stage.bridges.started(plant="acknowledges-first")
        await load.passes(20)
    found, findings = await stage.settle(_STANDSTILL)
    assert findings.lost, stage.ledger.report(found, findings)


async def test_bridge_without_a_memory_is_caught(stage: Stage) -> None:
    """A repetition that comes when another run with the same key has ended starts a run that nobody asked for."""
    await stage.bridges.started(plant="forgets")
    async with stage.loading(kinds={"quick": 1, "twice": 2}, ways=("sorted", "marked")) as load:
        await load.passes(60)
    found, findings = await stage.settle(_STANDSTILL)
    assert not findings.lost and findings.duplicated, stage.ledger.report(found, findings)

"""Two bridges share the work, and almost a third of what comes has come before."""

from __future__ import annotations

import random

from tests.chaos.size import SEED, sized
from tests.chaos.stage import Stage

_REPEATED = 0.43  # of the originals, which makes 30 % of all


async def test_two_bridges_with_many_repetitions_handle_each_event_once(stage: Stage) -> None:
    """One of them is killed at random moments, and another takes its place."""
    chance = random.Random(f"{SEED}-two")  # noqa: S311 - faults, not secrets
    await stage.bridges.started()
    await stage.bridges.started()
    async with stage.loading(repeated=_REPEATED) as load:
        for _ in range(sized(2, 15)):
            await load.passes(chance.randint(20, sized(60, 200)))
            await chance.choice(stage.bridges.running).kill()
            stage.ledger.notes["kills"] += 1
            await stage.recovered()
            await stage.bridges.started()
        await load.passes(sized(30, 300))
    await stage.check()

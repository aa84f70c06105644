"""Two bridges share the work, and almost a third of the messages are repetitions."""

from __future__ import annotations

import random

import pytest

from tests.chaos.environment import ChaosEnvironment
from tests.chaos.size import SEED, sized

pytestmark = pytest.mark.fault

_REPEATED = 0.43  # of the originals, which makes 30 % of all


async def test_two_bridges_with_many_repetitions_handle_each_event_once(env: ChaosEnvironment) -> None:
    """One of them is killed at random moments, and another takes its place."""
    chance = random.Random(f"{SEED}-two")  # noqa: S311 - faults, not secrets
    await env.bridges.started()
    await env.bridges.started()
    async with env.loading(repeated=_REPEATED) as load:
        for _ in range(sized(2, 15)):
            await load.wait_for_confirms(chance.randint(20, sized(60, 200)))
            await chance.choice(env.bridges.running).kill()
            env.ledger.notes["kills"] += 1
            await env.recovered()
            await env.bridges.started()
        await load.wait_for_confirms(sized(30, 300))
    await env.check()

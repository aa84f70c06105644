"""The bridge is killed at each of its crash points, in the middle of a load."""

from __future__ import annotations

import random

import pytest

from tests.chaos.environment import ChaosEnvironment
from tests.chaos.size import FULL, SEED, sized

pytestmark = pytest.mark.fault

POINTS = (
    "after-sort",
    "after-consume",
    "after-record",
    "after-start",
    "after-mark",
    "before-acknowledge",
    "after-dead-letter",
    "after-delay",
    "after-publish",
)
_RARE = frozenset({"after-dead-letter", "after-delay", "after-publish"})
_EACH = [(point,) * 4 for point in POINTS] if FULL else []


@pytest.mark.parametrize("points", [POINTS, *_EACH], ids=lambda points: points[0] if len(set(points)) == 1 else "all")
async def test_bridge_killed_at_crash_points_loses_and_repeats_nothing(
    env: ChaosEnvironment, points: tuple[str, ...]
) -> None:
    """One bridge after the other dies, each at the next crash point; the last one finds everything as it has to be."""
    chance = random.Random(f"{SEED}-{points}")  # noqa: S311 - faults, not secrets
    await (await env.bridges.started()).stop()
    async with env.loading() as load:
        for point in points:
            bridge = await env.bridges.start(point, chance.randint(1, 2 if point in _RARE else 15))
            await bridge.died()
            env.ledger.notes["kills"] += 1
        await env.bridges.started()
        await env.recovered()
        await load.wait_for_confirms(sized(20, 200))
    await env.check()

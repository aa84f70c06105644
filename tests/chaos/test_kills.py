"""The bridge is killed at each of its crash points, in the middle of a load."""

from __future__ import annotations

import random

import pytest

from tests.chaos.size import FULL, SEED, sized
from tests.chaos.stage import Stage

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
async def test_bridge_killed_at_crash_points_loses_and_repeats_nothing(stage: Stage, points: tuple[str, ...]) -> None:
    """One bridge after the other dies, each at the next crash point; the last one finds everything as it has to be."""
    chance = random.Random(f"{SEED}-{points}")  # noqa: S311 - faults, not secrets
    await (await stage.bridges.started()).stop()
    async with stage.loading() as load:
        for point in points:
            bridge = await stage.bridges.start(point, chance.randint(1, 2 if point in _RARE else 15))
            await bridge.died()
            stage.ledger.notes["kills"] += 1
        await stage.bridges.started()
        await stage.recovered()
        await load.passes(sized(20, 200))
    await stage.check()

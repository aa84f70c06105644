"""Rollouts that an operator set."""

from __future__ import annotations

import pytest

from store.database import Database
from store.errors import StatementRefusedError
from store.rollouts import clear_rollout, rollouts, set_rollout


async def test_set_rollout_keeps_the_last_percentage_and_who_set_it(database: Database) -> None:
    """One row for a version, with the time of the last change."""
    await set_rollout(database, "a", "1.0.0", 10, "ada")
    [first] = await rollouts(database)
    await set_rollout(database, "a", "1.0.0", 33.33, "bob")
    await set_rollout(database, "a", "2.0.0", 0, "bob")
    [second, other] = await rollouts(database)
    assert (second.version, second.percent, second.changed_by) == ("1.0.0", 33.33, "bob")
    assert second.changed_at > first.changed_at
    assert (other.version, other.percent) == ("2.0.0", 0)


async def test_clear_rollout_says_whether_there_was_one(database: Database) -> None:
    """What is cleared is gone; the others stay."""
    await set_rollout(database, "a", "1.0.0", 10, "ada")
    assert await clear_rollout(database, "a", "1.0.0")
    assert not await clear_rollout(database, "a", "1.0.0")
    assert await rollouts(database) == []


@pytest.mark.parametrize("percent", [-1, 101])
async def test_percentage_out_of_range_is_refused(database: Database, percent: float) -> None:
    """The table holds to what a percentage is."""
    with pytest.raises(StatementRefusedError):
        await set_rollout(database, "a", "1.0.0", percent, "ada")

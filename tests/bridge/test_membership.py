"""Membership: bridges see each other, and share the queues without a gap or an overlap."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from bridge.membership import Membership, joined, share
from contracts.json import Json
from store import bridges
from store.database import Database
from tests.support.waiting import PATIENCE_SECONDS, eventually

QUICK = timedelta(milliseconds=50)


@given(st.integers(1, 40), st.integers(1, 10))
def test_share_is_fair_and_whole(queues: int, members: int) -> None:
    """Every queue has one bridge, and no bridge has two more than another."""
    names, ids = [f"q{at}" for at in range(queues)], tuple(sorted(uuid.uuid4() for _ in range(members)))
    shares = [share(names, ids, mine) for mine in ids]
    assert sorted(name for one in shares for name in one) == sorted(names)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_who_is_not_seen_takes_all() -> None:
    """A bridge that the others think dead serves what the broker gives it."""
    assert share(["a", "b"], (uuid.uuid4(),), uuid.uuid4()) == {"a", "b"}


async def _sees(membership: Membership, count: int) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(membership.members) != count:
            await membership.change()


async def test_bridges_see_each_other_come_and_go(database: Database) -> None:
    """Both have the same view once both are in line; one that stops in good order is gone at once."""
    async with joined(database, lambda: {"breakers": {"temporal": "closed"}}, QUICK) as first:
        async with joined(database, dict, QUICK) as second:
            await first.stands_in_line()
            assert first.members == (first.id,)
            await second.stands_in_line()
            await _sees(first, 2)
            await _sees(second, 2)
            assert first.members == second.members == tuple(sorted((first.id, second.id)))
        await _sees(first, 1)
        [row] = await bridges.alive(database)
        assert (row.id, row.state) == (first.id, {"breakers": {"temporal": "closed"}})


async def test_bridge_that_died_is_out_after_its_silence(database: Database) -> None:
    """Nobody waits for who gives no sign of life."""
    dead = uuid.uuid4()
    await bridges.beat(database, dead, "elsewhere", 1, True, {})
    await _back_date(database, dead)
    async with joined(database, dict, QUICK) as alive:
        await eventually(lambda: _alone(database, alive))


async def test_sign_of_life_that_is_refused_is_not_the_last(database: Database) -> None:
    """A password that is changed, a standby: the bridge is seen again, and ends in good order even if it is not."""
    beats = 0

    def describe() -> dict[str, Json]:
        nonlocal beats
        beats += 1
        return {}

    async with joined(database, describe, QUICK) as membership:
        await database.fetch("alter table saga.bridges rename to aside")
        refused_from = beats + 1
        await membership.stands_in_line()

        async def tried_again() -> bool:
            return beats > refused_from + 2

        await eventually(tried_again)
        await database.fetch("alter table saga.aside rename to bridges")
        await database.fetch("delete from saga.bridges")

        async def seen() -> bool:
            return [row.id for row in await bridges.alive(database)] == [membership.id]

        await eventually(seen)
        await database.fetch("alter table saga.bridges rename to aside")


async def _back_date(database: Database, identity: uuid.UUID) -> None:
    async with database.transaction() as session:
        await session.execute("update saga.bridges set seen_at = now() - interval '11 s' where id = $1", identity)


async def _alone(database: Database, membership: Membership) -> bool:
    return [row.id for row in await bridges.alive(database)] == [membership.id]

"""An effect and its undoing, in either order."""

from __future__ import annotations

import asyncio

import pytest

from store.database import Database
from store.undone import AlreadyUndoneError, effect, undoing


async def test_effect_is_refused_after_its_undoing(database: Database) -> None:
    """A late attempt of a compensated step changes nothing."""
    async with undoing(database, "run/charge"):
        pass
    with pytest.raises(AlreadyUndoneError, match="run/charge"):
        async with effect(database, "run/charge"):
            pass
    async with effect(database, "run/other"):
        pass


async def test_effect_and_undoing_never_overlap(database: Database) -> None:
    """Whichever is first, in the end nothing is there."""
    await database.fetch("create table public.effects (key text)")

    async def act(key: str) -> None:
        async with effect(database, key) as session:
            await session.execute("insert into public.effects values ($1)", key)

    async def undo(key: str) -> None:
        async with undoing(database, key) as session:
            await session.execute("delete from public.effects where key = $1", key)

    for number in range(20):
        await asyncio.gather(act(f"k{number}"), undo(f"k{number}"), return_exceptions=True)
    assert await database.fetch("select * from public.effects") == []

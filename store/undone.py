"""Effects and their undoing, in whatever order they arrive.

A step whose outcome is unknown is compensated although its last attempt may still be on its way. So a compensation
leaves a mark, and an effect looks for it: both hold the same lock, so one comes first, and the effect never stays
behind alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from contracts.errors import PermanentError
from store.database import Database, Session
from store.queries import load

_SQL: Final = load("undone")


class AlreadyUndoneError(PermanentError):
    """This step was compensated before its effect came; nothing was changed."""

    code = "already-undone"


@asynccontextmanager
async def effect(database: Database, key: str) -> AsyncIterator[Session]:
    """Open the transaction of the effect with the idempotency key `key`.

    Raises:
        AlreadyUndoneError: The effect was compensated before.
    """
    async with database.transaction() as session:
        await session.lock(key)
        if await session.fetch_row(_SQL["find"], key) is not None:
            raise AlreadyUndoneError(key)
        yield session


@asynccontextmanager
async def undoing(database: Database, key: str) -> AsyncIterator[Session]:
    """Open the transaction that undoes the effect with the idempotency key `key`, and mark it as undone."""
    async with database.transaction() as session:
        await session.lock(key)
        await session.execute(_SQL["mark"], key)
        yield session

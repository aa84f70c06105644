"""The bridges that are alive, by their sign of life.

They share the partitions of the bus among them, so each must know the others. A bridge that died without a word is
out after `SILENCE`; until then the broker has long given its queues to those who wait in line.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from contracts.json import Json
from store.database import Database
from store.queries import load

SILENCE: Final = timedelta(seconds=10)
_SQL: Final = load("bridges")


@dataclass(frozen=True, slots=True)
class BridgeRow:
    """A bridge that gave a sign of life.

    `in_line` tells whether it is subscribed to all queues; `state` is what else it says about itself.
    """

    id: uuid.UUID
    host: str
    pid: int
    started_at: datetime
    seen_at: datetime
    in_line: bool
    state: Mapping[str, Json]


async def beat(
    database: Database, identity: uuid.UUID, host: str, pid: int, in_line: bool, state: Mapping[str, Json]
) -> tuple[BridgeRow, ...]:
    """Give a sign of life, and return who is alive, in the order of ids."""
    async with database.transaction() as session:
        await session.execute(_SQL["beat"], identity, host, pid, in_line, state)
        return tuple(BridgeRow(**row) for row in await session.fetch(_SQL["alive"], SILENCE))


async def alive(database: Database) -> tuple[BridgeRow, ...]:
    """Return who is alive, in the order of ids."""
    return tuple(BridgeRow(**row) for row in await database.fetch(_SQL["alive"], SILENCE))


async def leave(database: Database, identity: uuid.UUID) -> None:
    """Take a bridge out that stops in good order, and those that were last seen a day ago."""
    async with database.transaction() as session:
        await session.execute(_SQL["forget"], identity)
        await session.execute(_SQL["bury"])

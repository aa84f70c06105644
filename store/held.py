"""Messages that wait for a run: kept, tried in order, and taken out when they were delivered or their time is over.

Whoever claims a target holds a row lock on the first of its messages until the transaction ends, so that several
bridges share the work and yet one target's messages go one after the other. A process that dies lets its lock go and
has changed nothing. Only the first message of a target is tried: as long as it waits, so do those behind it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from contracts.json import Json
from store.database import Database, Row, Session
from store.queries import load

_SQL: Final = load("held")
_AT_ONCE: Final = 200
_OURS_FOR: Final = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class HeldMessage:
    """One message at rest.

    Attributes:
        request_id: By which it is known; a message is kept once.
        target: What it is for; the messages of one target keep their order.
        definition: Whose trigger asked for it.
        trigger: Place of the trigger, from 0.
        message: What to do.
        envelope: The event that it came by.
        expires_at: Until when it is tried; aware.
        matched: The runs that it was found to be for.
        is_over: Whether its time was over when it was read.
    """

    request_id: str
    target: str
    definition: str
    trigger: int
    message: Mapping[str, Json]
    envelope: Mapping[str, Json]
    expires_at: datetime
    matched: tuple[str, ...] = ()
    is_over: bool = False


@dataclass(frozen=True)
class Claim:
    """A target whose messages are ours until the end of the transaction; `messages` are its first, in order."""

    session: Session
    target: str
    messages: Sequence[HeldMessage]

    async def lease(self) -> timedelta:
        """Return for how long the target is certainly ours; PostgreSQL is asked, which may have lost us meanwhile."""
        await self.session.fetch_row(_SQL["confirm"])
        return _OURS_FOR

    async def remove(self, request_id: str) -> None:
        """Take a message out."""
        await self.session.execute(_SQL["delete"], request_id)

    async def match(self, request_id: str, workflow_ids: Sequence[str]) -> None:
        """Write down for which runs a message is; it is due at once."""
        await self.session.execute(_SQL["match"], request_id, list(workflow_ids))

    async def postpone(self, request_id: str) -> None:
        """Try again later: after 1 s, 2 s and so on up to 30 s, or when the first of the target's expires."""
        await self.session.execute(_SQL["postpone"], request_id)


async def add(database: Database, held: HeldMessage, first_try: timedelta) -> None:
    """Keep a message; one that is kept already stays as it is.

    Raises:
        ServiceUnreachableError: PostgreSQL is away; nothing was written.
        ConnectionLostError: It went away meanwhile; adding again is harmless.
    """
    async with database.transaction() as session:
        await session.execute(
            _SQL["add"],
            held.request_id,
            held.target,
            held.definition,
            held.trigger,
            held.envelope.get("event_id"),
            json.dumps(held.message),
            json.dumps(held.envelope),
            list(held.matched),
            held.expires_at,
            first_try,
        )


async def waits(database: Database, target: str) -> bool:
    """Tell whether anything waits for `target`."""
    [row] = await database.fetch(_SQL["waits"], target)
    return bool(row["found"])


async def holds(database: Database, request_id: str) -> bool:
    """Tell whether a message is kept."""
    [row] = await database.fetch(_SQL["holds"], request_id)
    return bool(row["found"])


async def forget(database: Database, request_id: str) -> None:
    """Take a message out, if it is there."""
    async with database.transaction() as session:
        await session.execute(_SQL["delete"], request_id)


async def count(database: Database) -> int:
    """Return how many messages wait."""
    [row] = await database.fetch(_SQL["count"])
    return int(row["held"])


@asynccontextmanager
async def claim_due(database: Database) -> AsyncIterator[Claim | None]:
    """Claim the target that is due longest and that nobody else has; None where there is none."""
    async with database.transaction() as session:
        row = await session.fetch_row(_SQL["due"])
        yield None if row is None else await _claim(session, str(row["target"]))


@asynccontextmanager
async def claim(database: Database, target: str) -> AsyncIterator[Claim | None]:
    """Claim this target, due or not, after whoever has it now; None where nothing waits for it."""
    async with database.transaction() as session:
        row = await session.fetch_row(_SQL["head"], target)
        yield None if row is None else await _claim(session, target)


async def _claim(session: Session, target: str) -> Claim:
    rows = await session.fetch(_SQL["of_target"], target, _AT_ONCE)
    return Claim(session, target, [_held(row, target) for row in rows])


def _held(row: Row, target: str) -> HeldMessage:
    return HeldMessage(
        row["request_id"],
        target,
        row["definition"],
        row["trigger"],
        json.loads(row["message"]),
        json.loads(row["envelope"]),
        row["expires_at"],
        tuple(row["matched"]),
        row["is_over"],
    )

"""Events on their way out: written in the transaction of their effect, published later by the relay.

So an effect and its event are there together or not at all, and a broker that is away delays events and fails nobody.
Each row has a shard, chosen by the key of its event, and one relay at a time holds a shard: with several relays the
events of a key still leave in the order in which they were written. Rows are not skipped over (`skip locked` would let
a later event of a key overtake an earlier one); a row that can never be published is parked, with the reason, where
people see it.

"In the order in which they were written" means: of two transactions that do not overlap, the earlier one's events go
first. Who changes one thing in two overlapping transactions locks that thing first, and so has its order as well.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from contracts.envelope import Event
from contracts.ports import UnfitEventError
from store.database import Database, Row, Session
from store.queries import load

SHARDS: Final = 16
BATCH: Final = 100
_LOCKS: Final = 72_011
"""The first half of the advisory locks of shards; the second is the shard."""

_SQL: Final = load("outbox")


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """An event that waits for the relay.

    Attributes:
        id: Its number; within a key, smaller is earlier.
        event: What to publish.
        priority: 0 to 9.
        tries: How often the broker refused it.
    """

    id: int
    event: Event
    priority: int
    tries: int

    @property
    def key(self) -> str:
        """What puts it in a row with others."""
        return key_of(self.event)


@dataclass(frozen=True, slots=True)
class ParkedRow:
    """An event that the relay has put aside."""

    id: int
    event_id: str
    event: Event
    written_at: datetime
    tries: int
    reason: str


@dataclass(frozen=True, slots=True)
class OutboxState:
    """How full the outbox is; `oldest` is the age of the oldest event that waits."""

    waiting: int
    parked: int
    oldest: timedelta


class Claim:
    """A shard that is ours until the transaction ends: its first rows, in order."""

    def __init__(self, session: Session, rows: Sequence[OutboxRow]) -> None:
        self._session, self.rows = session, rows

    async def remove(self, ids: Iterable[int]) -> None:
        """Remove what the broker has confirmed."""
        await self._session.execute(_SQL["remove"], list(ids))

    async def count_try(self, ids: Iterable[int]) -> None:
        """Note that the broker refused these once more."""
        await self._session.execute(_SQL["count_try"], list(ids))

    async def park(self, row_id: int, reason: str) -> None:
        """Put a row aside that can never be published."""
        await self._session.execute(_SQL["park"], row_id, reason)


async def add(session: Session, event: Event, priority: int = 0) -> None:
    """Write `event` to the outbox as part of the caller's transaction.

    Raises:
        UnfitEventError: It cannot be written as JSON.
    """
    await session.execute(_SQL["add"], event.id, shard_of(event), _text(event), priority)


async def add_many(session: Session, events: Sequence[Event], *, again: bool = False) -> int:
    """Write events to the outbox in one statement and return how many were written.

    Args:
        session: The caller's transaction.
        events: They keep their order.
        again: Whether some may be there already, because the outcome of an earlier try is unknown.

    Raises:
        UnfitEventError: One cannot be written as JSON; none was.
    """
    rows = [(event.id, shard_of(event), _text(event)) for event in events]
    return await session.execute(_SQL["add_many"], *([row[at] for row in rows] for at in range(3)), again)


async def add_alone(database: Database, event: Event, priority: int = 0) -> None:
    """Write `event` to the outbox in a transaction of its own; errors as for `add` and `Database.transaction`."""
    async with database.transaction() as session:
        await add(session, event, priority)


def key_of(event: Event) -> str:
    """Return what decides about order: the group id, else the correlation id, else the event's id."""
    return event.group_id or event.correlation_id


def shard_of(event: Event) -> int:
    """Return the shard of the event's key; the same in every process and release."""
    return zlib.crc32(key_of(event).encode("utf-8", "surrogatepass")) % SHARDS


async def waiting_shards(database: Database) -> list[int]:
    """Return the shards in which something waits."""
    return [row["shard"] for row in await database.fetch(_SQL["waiting_shards"], SHARDS)]


@asynccontextmanager
async def claimed(database: Database, shard: int, limit: int = BATCH) -> AsyncIterator[Claim | None]:
    """Hold a shard inside the block, which is one transaction; None if another relay holds it."""
    async with database.transaction() as session:
        answer = await session.fetch_row(_SQL["claim"], _LOCKS, shard)
        if answer is None or not answer["claimed"]:
            yield None
            return
        rows = await session.fetch(_SQL["first_rows"], shard, limit)
        yield Claim(session, [_waiting(row) for row in rows])


async def outbox_state(database: Database) -> OutboxState:
    """Return how much waits, how much is parked, and how old the oldest is."""
    return OutboxState(**(await database.fetch(_SQL["state"]))[0])


async def parked_rows(database: Database, limit: int = 1000) -> list[ParkedRow]:
    """Return what was put aside, the oldest first."""
    return [_parked(row) for row in await database.fetch(_SQL["parked"], limit)]


async def release_parked(database: Database, ids: Iterable[int]) -> int:
    """Let the relay try parked rows again, and return how many there were."""
    async with database.transaction() as session:
        return await session.execute(_SQL["release"], list(ids))


async def drop_parked(database: Database, ids: Iterable[int]) -> int:
    """Remove parked rows for good, and return how many there were."""
    async with database.transaction() as session:
        return await session.execute(_SQL["drop"], list(ids))


def _text(event: Event) -> str:
    try:
        text = json.dumps(event.to_json(), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise UnfitEventError(f"{event.type}: {error}") from error
    return text


def _waiting(row: Row) -> OutboxRow:
    return OutboxRow(row["id"], _event(row["envelope"]), row["priority"], row["tries"])


def _parked(row: Row) -> ParkedRow:
    return ParkedRow(event=_event(row.pop("envelope")), **row)


def _event(text: str) -> Event:
    envelope: dict[str, Any] = json.loads(text)
    expires = envelope.get("expires_at")
    return Event(
        id=envelope["event_id"],
        type=envelope["event_type"],
        version=envelope["event_version"],
        time=datetime.fromisoformat(envelope["timestamp"]),
        source=envelope["source"],
        data=envelope["data"],
        metadata=envelope["metadata"],
        expires_at=None if expires is None else datetime.fromisoformat(expires),
        unique_id=envelope.get("unique_id") is not False,
    )

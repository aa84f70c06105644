"""Which bridges there are, and which share of the queues is this one's.

All bridges are subscribed to all queues, and the broker serves one of them: the first in line. So a queue changes
hands at once when its bridge dies, but stays with an old bridge when a new one comes. Therefore each knows who else
is in line and gives up, by going to the end of it, what is another's share. Nothing depends on that view being right:
while two disagree a queue has its one consumer all the same, only not the ideal one.
"""

from __future__ import annotations

import asyncio
import os
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import structlog

from contracts.errors import SagaError
from contracts.json import Json
from store import bridges
from store.database import Database

Members = tuple[uuid.UUID, ...]
_log = structlog.get_logger("bridge")


def share(queues: Sequence[str], members: Members, mine: uuid.UUID) -> frozenset[str]:
    """Return which of the queues are `mine`: each member in turn has one."""
    if mine not in members:
        return frozenset(queues)
    return frozenset(queues[members.index(mine) :: len(members)])


class Membership:
    """The bridges that are in line; made by `joined`."""

    def __init__(self, database: Database, describe: Callable[[], Mapping[str, Json]]) -> None:
        self.id = uuid.uuid4()
        self.members: Members = (self.id,)
        self._in_line = False
        self._database, self._describe = database, describe
        self._changed = asyncio.Event()

    async def change(self) -> Members:
        """Wait until other bridges are in line than at the last call, and return them."""
        await self._changed.wait()
        self._changed.clear()
        return self.members

    def leaves_line(self) -> None:
        """Let the others know, with the next sign of life, that this bridge serves no queue."""
        self._in_line = False

    async def stands_in_line(self) -> None:
        """Tell the others that this bridge is subscribed to all queues from now on."""
        self._in_line = True
        with suppress(SagaError):
            await self.beat()

    async def keep_up(self, every: timedelta) -> None:
        """Give signs of life until cancelled; while the database is away the last view holds."""
        while True:
            await asyncio.sleep(every.total_seconds())
            try:
                await self.beat()
            except SagaError as error:
                _log.warning("sign_of_life_failed", error=str(error))

    async def beat(self) -> None:
        """Give a sign of life and look around."""
        host, pid = socket.gethostname(), os.getpid()
        rows = await bridges.beat(self._database, self.id, host, pid, self._in_line, self._describe())
        members = tuple(row.id for row in rows if row.in_line or row.id == self.id)
        if members != self.members:
            _log.info("bridges_changed", in_line=len(members))
            self.members = members
            self._changed.set()


@asynccontextmanager
async def joined(
    database: Database, describe: Callable[[], Mapping[str, Json]], every: timedelta
) -> AsyncIterator[Membership]:
    """Be a member inside the block.

    Args:
        database: Where members are noted.
        describe: Gives what this bridge says about itself.
        every: Time between signs of life.

    Raises:
        SagaError: The database is away at the start, or refuses.
    """
    membership = Membership(database, describe)
    await membership.beat()
    living = asyncio.create_task(membership.keep_up(every))
    try:
        yield membership
    finally:
        living.cancel()
        with suppress(asyncio.CancelledError):
            await living
        with suppress(SagaError):
            await bridges.leave(database, membership.id)

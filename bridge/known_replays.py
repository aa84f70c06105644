"""Which replays are ours.

A mark turns off deduplication, so it is believed only if PostgreSQL has its id on record, where replays and retries
put it before they publish. What was asked once is remembered, known or not, within bounds: an id that is unknown when
its event comes stays so. An event without a mark costs nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final
from uuid import UUID

from bridge.batches import Batches, batching
from bridge.replay_mark import ReplayMark

Fetch = Callable[[Sequence[UUID]], Awaitable[Mapping[UUID, bool]]]
_MOST: Final = 10_000


class KnownReplays:
    """The replays on record, as far as they were asked for; made by `knowing_replays`."""

    def __init__(self, lookups: Batches[UUID, bool | None]) -> None:
        self._lookups = lookups
        self._seen: OrderedDict[UUID, bool | None] = OrderedDict()

    async def believed(self, claim: ReplayMark) -> ReplayMark | None:
        """Return what is believed of a mark: not that it does everything again, if its replay does not; None = nothing.

        Raises:
            TemporaryError: PostgreSQL is busy; while it is away this waits.
        """
        again = await self._find(claim.id)
        return None if again is None else replace(claim, again=claim.again and again)

    async def _find(self, identity: UUID) -> bool | None:
        if identity not in self._seen:
            self._seen[identity] = await self._lookups.give(identity)
            if len(self._seen) > _MOST:
                self._seen.popitem(last=False)
        self._seen.move_to_end(identity)
        return self._seen[identity]


@asynccontextmanager
async def knowing_replays(fetch: Fetch) -> AsyncIterator[KnownReplays]:
    """Look replays up inside the block; `fetch` returns those on record and whether they do everything again."""

    async def look_up(ids: Sequence[UUID]) -> Sequence[bool | None]:
        found = await fetch(list(dict.fromkeys(ids)))
        return [found.get(identity) for identity in ids]

    async with batching(look_up) as lookups:
        yield KnownReplays(lookups)

"""Publish dead letters again.

A retry is put on record before it publishes, because the bridge believes no other. Many letters are in flight at once,
those of one group one after the other, and a letter is closed only after the broker has confirmed its event: one that
was confirmed and not closed any more, because of a crash or an outage, is published again by the next retry, which
does nothing that was done.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from bridge.amqp.letters import event_of, origin_of, priority_of
from bridge.amqp.publisher import Publisher
from bridge.errors import EventTooLargeError, MalformedEventError, UnroutableEventError
from bridge.outcomes import CONFLICT
from bridge.replay_mark import ReplayMark, mark_of, marked
from bridge.topology.model import PlainRule
from contracts.envelope import Event
from contracts.errors import PermanentError
from contracts.ports import UnfitEventError
from store import dead_letters, replays
from store.database import Database
from store.dead_letters import StoredLetter

AT_ONCE: Final = 500
"""Letters that are closed together, and published twice at most where a retry is killed."""

_IN_FLIGHT: Final = 250
_CLOCKS_APART: Final = timedelta(hours=1)


class NotRetriableError(PermanentError):
    """The letter cannot be retried as it is; `saga dlq edit` changes it."""

    code = "not-retriable"


@dataclass
class Progress:
    """How far a retry is, in ids of letters: published, not yet closed of these, and left with the reason."""

    published: list[int] = field(default_factory=list)
    unclosed: list[int] = field(default_factory=list)
    left: dict[int, str] = field(default_factory=dict)

    @property
    def passed(self) -> int:
        """How many it is done with."""
        return len(self.published) + len(self.left)


class Retry:
    """A retry of dead letters; made by `begin`."""

    def __init__(self, identity: UUID, database: Database, progress: Progress, plain: Sequence[PlainRule]) -> None:
        self.id, self.progress, self._database, self._plain = identity, progress, database, plain

    async def run(
        self,
        pages: AsyncIterator[Sequence[StoredLetter]],
        publisher: Publisher,
        told: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Publish letters, and close them; `progress` says how far it came, however it ends.

        Args:
            pages: Some hundred letters at a time, each page asked for when the one before is done with.
            publisher: The bus.
            told: Called with the number of letters that it is done with.

        Raises:
            TemporaryError: Broker or database are away, or a queue is full.
            UnroutableEventError: No queue takes events.
        """
        in_flight = asyncio.Semaphore(_IN_FLIGHT)
        async for page in pages:
            try:
                await self._publish(page, publisher, in_flight, told)
            finally:
                await self._close()

    def prepared(self, letter: StoredLetter) -> Event:
        """Return the event as it goes out: a replay, which is neither duplicate nor conflict.

        It does only what the event has not done yet. What was already a replay that does everything again goes on as
        that one, so that it too does only what is left of it.

        Raises:
            MalformedEventError: The letter is no event.
            NotRetriableError: Its time is over, or its id is that of another event.
        """
        event = event_of(letter, plain=self._plain)
        if event.is_expired(datetime.now(UTC)):
            raise NotRetriableError(f"Its time is over since {event.expires_at}; edit `expires_at` first.")
        if letter.code == CONFLICT and event.identity == letter.event_id:
            # It would come as a replay of the event that had this id first, whose effects are on record.
            raise NotRetriableError(f"Another event has its id, {event.identity}: edit its event_id first.")
        before = mark_of(event)
        since = _since(letter, event, None if before is None else before.since)
        if before is not None and before.again:
            return marked(event, replace(before, since=since, letter=letter.id, retry=self.id))
        return marked(event, ReplayMark(self.id, since=since, letter=letter.id))

    async def _publish(
        self,
        page: Sequence[StoredLetter],
        publisher: Publisher,
        in_flight: asyncio.Semaphore,
        told: Callable[[int], None],
    ) -> None:
        lanes: dict[str, list[tuple[StoredLetter, Event]]] = {}
        for letter in page:
            try:
                event = self.prepared(letter)
            except MalformedEventError as error:
                self.progress.left[letter.id] = str(error)
            except NotRetriableError as error:
                self.progress.left[letter.id] = error.detail
            else:
                lanes.setdefault(event.group_id or f"\n{event.identity}", []).append((letter, event))
        told(self.progress.passed)

        async def publish_lane(lane: Sequence[tuple[StoredLetter, Event]]) -> None:
            for letter, event in lane:
                async with in_flight:
                    await self._publish_one(letter, event, publisher)
                told(self.progress.passed)

        try:
            async with asyncio.TaskGroup() as group:
                for lane in lanes.values():
                    group.create_task(publish_lane(lane))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _publish_one(self, letter: StoredLetter, event: Event, publisher: Publisher) -> None:
        origin, priority = origin_of(letter), priority_of(letter)
        try:
            if origin is None:
                await publisher.publish(event, priority=priority)
            else:
                await publisher.publish_to(event, *origin, priority=priority)
        except (MalformedEventError, EventTooLargeError, UnfitEventError) as error:
            self.progress.left[letter.id] = str(error)
        except UnroutableEventError as error:
            if origin is None:
                raise
            self.progress.left[letter.id] = f"Nothing takes it any more where it came from: {error.detail}"
        else:
            self.progress.published.append(letter.id)
            self.progress.unclosed.append(letter.id)

    async def _close(self) -> None:
        if self.progress.unclosed:
            await dead_letters.close(self._database, self.progress.unclosed, self.id)
            self.progress.unclosed.clear()


async def begin(database: Database, progress: Progress | None = None, plain: Sequence[PlainRule] = ()) -> Retry:
    """Put a new retry on record; `Retry.run` carries it out, and says in `progress` how far it is.

    Args:
        database: Where the letters are.
        progress: Is told how far it is.
        plain: Which letters may have no envelope.
    """
    retry = Retry(uuid4(), database, progress or Progress(), plain)
    await replays.begin_retry(database, retry.id)
    return retry


def _since(letter: StoredLetter, event: Event, earlier: date | None) -> date:
    """From which day on the log may know the event; with another id than it came with, it was never there before."""
    is_another = event.identity != letter.event_id
    came = letter.last_at if is_another else min(letter.first_at, letter.last_at)
    day = (came - _CLOCKS_APART).astimezone(UTC).date()
    return day if is_another or earlier is None else min(day, earlier)

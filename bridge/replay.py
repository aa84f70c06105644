"""Publish events of the log again.

An event goes out with the id that it had and with `metadata.replay`, from which the bridge sees that it may do only
what it has not done before, or, with `again`, everything once more. Events with one key go one after the other, in
the order of the log; others side by side. How far a replay is, is on record after each page and when it is stopped,
so one that was killed repeats a page at most, which changes nothing: the ids are the same.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from uuid import UUID, uuid4

import structlog

from bridge.envelope import Properties, decode
from bridge.errors import EventTooLargeError, MalformedEventError
from bridge.replay_mark import ReplayMark, marked
from bridge.selection import Criteria, Selection, compile_filter, fits, select
from contracts.envelope import Event
from contracts.ports import EventPublisher
from store import replays
from store.database import Database
from store.replays import PastEvent, Reached, ReplayRecord
from workflows.language.expressions.cel import Expression

_log = structlog.get_logger("replay")


async def begin(database: Database, criteria: Criteria) -> Replay:
    """Put a new replay on record; `Replay.run` carries it out.

    Raises:
        BadFilterError: The condition cannot be compiled.
        DaysArchivedError: Some of the days are not in the log.
    """
    condition = compile_filter(criteria.condition)
    horizon = await replays.log_horizon(database)
    selection = await select(database, criteria, horizon)
    record = ReplayRecord(uuid4(), criteria.to_json(), "running", horizon, selection.total, Reached())
    await replays.begin_replay(database, record)
    return Replay(record, criteria, condition, selection)


async def resume(database: Database, identity: UUID) -> Replay:
    """Return a replay that was stopped, where it stands.

    Raises:
        UnknownReplayError: There is none with this id.
        DaysArchivedError: Some of the days were archived since.
    """
    record = await replays.find_replay(database, identity)
    criteria = Criteria.from_json(record.criteria)
    selection = await select(database, criteria, record.horizon)
    return Replay(record, criteria, compile_filter(criteria.condition), selection)


class Replay:
    """A replay, new or half done; made by `begin` and `resume`."""

    def __init__(
        self, record: ReplayRecord, criteria: Criteria, condition: Expression | None, selection: Selection
    ) -> None:
        self.id, self.total, self.reached = record.id, record.total, record.reached
        self.criteria, self.is_finished = criteria, record.state == "finished"
        self._condition, self._selection = condition, selection
        self._mark = ReplayMark(record.id, criteria.again)

    async def run(
        self, publisher: EventPublisher, rate: float | None = None, told: Callable[[int], None] = lambda _: None
    ) -> None:
        """Publish what is left of it.

        Args:
            publisher: The bus.
            rate: Events in a second at most.
            told: Called after each event with the number of those that are passed.

        Raises:
            TemporaryError: Broker or database are away; the replay can go on from where it is.
            UnroutableEventError: No queue takes events; as before.
        """
        pace = _Pace(rate)
        async with aclosing(self._selection.pages(self.reached)) as pages:
            async for page in pages:
                await _Page(self, page, publisher, pace, told).publish()
        await replays.finish_replay(self._selection.database, self.id)
        self.is_finished = True

    def prepared(self, past: PastEvent) -> Event | None:
        """Return the event as it goes out; None where the condition does not hold for it.

        Raises:
            MalformedEventError: The log has something that is no event any more.
        """
        event = decode(past.envelope.encode(), Properties())
        if not fits(event, self._condition):
            return None
        return marked(event, replace(self._mark, since=past.day))

    async def advance(self, passed: Sequence[PastEvent], published: int, refused: int) -> None:
        """Remember that these events are passed."""
        if passed:
            before, last = self.reached, passed[-1]
            counts = (before.passed + len(passed), before.published + published, before.refused + refused)
            self.reached = Reached(last.day, last.place, *counts)
            await replays.save_reached(self._selection.database, self.id, self.reached)


class _Page:
    """Some events on their way out."""

    def __init__(
        self,
        replay: Replay,
        page: Sequence[PastEvent],
        publisher: EventPublisher,
        pace: _Pace,
        told: Callable[[int], None],
    ) -> None:
        self._replay, self._page, self._publisher, self._pace, self._told = replay, page, publisher, pace, told
        self._ends: dict[int, str] = {}

    async def publish(self) -> None:
        """Publish all, and remember those up to the first that is not confirmed, whatever happens."""
        lanes: dict[str, list[int]] = {}
        for number, past in enumerate(self._page):
            lanes.setdefault(past.key or str(past.place), []).append(number)
        try:
            async with asyncio.TaskGroup() as group:
                for lane in lanes.values():
                    group.create_task(self._publish_lane(lane))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:
            await self._save()

    async def _publish_lane(self, lane: Sequence[int]) -> None:
        for number in lane:
            self._ends[number] = await self._publish_one(self._page[number])
            self._told(self._replay.reached.passed + len(self._ends))

    async def _publish_one(self, past: PastEvent) -> str:
        try:
            event = self._replay.prepared(past)
            if event is None:
                return "left-out"
            await self._pace.turn()
            await self._publisher.publish(event, priority=past.priority)
        except (EventTooLargeError, MalformedEventError) as error:
            _log.warning("replay_refused", day=str(past.day), position=past.place.position, reason=str(error))
            return "refused"
        return "published"

    async def _save(self) -> None:
        whole = next((number for number in range(len(self._page)) if number not in self._ends), len(self._page))
        ends = Counter(self._ends[number] for number in range(whole))
        await self._replay.advance(self._page[:whole], ends["published"], ends["refused"])


class _Pace:
    """Gives turns at a steady rate."""

    def __init__(self, rate: float | None) -> None:
        self._gap = 0.0 if rate is None else 1 / rate
        self._next = 0.0

    async def turn(self) -> None:
        """Wait for the next turn."""
        if self._gap:
            now = asyncio.get_running_loop().time()
            mine = max(self._next, now)
            self._next = mine + self._gap
            await asyncio.sleep(mine - now)

"""Replays: what they publish, in which order, and how they go on, against a real log and a real broker."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import aio_pika
import pytest

from bridge.amqp.publisher import open_publisher
from bridge.archive.archiving import archive_days
from bridge.archive.storage import S3Access, open_storage
from bridge.replay import begin, resume
from bridge.replay_mark import ReplayMark, mark_of
from bridge.selection import BadFilterError, Criteria, DaysArchivedError, compile_filter, survey
from contracts.envelope import Event
from contracts.errors import ServiceUnreachableError
from store.database import Database, open_database
from store.replays import UnknownReplayError, known_replays
from tests.bridge.archive.event_log_days import days_ago, make_day

DAY = days_ago(3)
BEFORE = days_ago(4)
START = datetime(BEFORE.year, BEFORE.month, BEFORE.day, tzinfo=UTC)
ALL = Criteria(START, START + timedelta(days=3))


class Kept:
    """An `EventPublisher` that keeps what it is given, and is away from a number on, if one is given."""

    def __init__(self, away_after: int | None = None) -> None:
        self.events: list[Event] = []
        self.priorities: list[int] = []
        self._away_after = away_after

    async def publish(self, event: Event, *, priority: int = 0) -> None:
        await asyncio.sleep(0)
        if len(self.events) == self._away_after:
            raise ServiceUnreachableError("RabbitMQ", "nowhere", "start it")
        self.events.append(event)
        self.priorities.append(priority)

    @property
    def ids(self) -> list[str]:
        return [event.id for event in self.events]


@pytest.fixture
async def log(postgres_url: str) -> AsyncIterator[Database]:
    """A log with 150 events on each of two days."""
    async with open_database(postgres_url) as database:
        for day in (BEFORE, DAY):
            await make_day(database, day, 150)
        yield database


def _ids(day: date, numbers: Sequence[int]) -> set[str]:
    return {f"e-{day}-{number}" for number in numbers}


def _numbers_by_key(events: Sequence[Event]) -> dict[int, list[tuple[str, int]]]:
    kept: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for event in events:
        assert isinstance(event.data, dict)
        number = event.data["number"]
        assert isinstance(number, int)
        kept[number % 10].append((event.id[:12], number))
    return kept


async def test_replay_publishes_everything_once_marked_and_in_order(log: Database) -> None:
    """Same ids and priorities, a mark with the replay's id, and for each key the order of the log."""
    replay, bus, told = await begin(log, ALL), Kept(), list[int]()
    await replay.run(bus, told=told.append)
    assert (replay.total, replay.reached.published, replay.is_finished) == (300, 300, True)
    assert set(bus.ids) == _ids(BEFORE, range(1, 151)) | _ids(DAY, range(1, 151))
    assert len(bus.ids) == len(set(bus.ids))
    assert {mark_of(event) for event in bus.events} == {ReplayMark(replay.id, since=day) for day in (BEFORE, DAY)}
    assert await known_replays(log, [replay.id, uuid4()]) == {replay.id: False}
    assert all(numbers == sorted(numbers) for numbers in _numbers_by_key(bus.events).values())
    assert sorted(set(bus.priorities)) == list(range(10))
    assert told == sorted(told)
    assert told[-1] == 300


async def test_replay_reaches_the_broker(log: Database, amqp_url: str) -> None:
    """Messages are confirmed by the exchange `events`, with the id of each event and its mark."""
    async with await aio_pika.connect(amqp_url) as connection, connection.channel() as channel:
        exchange = await channel.declare_exchange("events", "topic", durable=True)
        queue = await channel.declare_queue("mine", durable=True)
        await queue.bind(exchange, "order.paid")
        replay = await begin(log, Criteria(ALL.start, ALL.end, "order.paid", again=True))
        async with open_publisher(amqp_url) as publisher:
            await replay.run(publisher)
        messages = [await queue.get() for _ in range(100)]
        assert await queue.get(fail=False) is None
    assert {message.message_id for message in messages if message} == {
        f"e-{day}-{number}" for day in (BEFORE, DAY) for number in range(1, 151) if number % 3 == 1
    }
    for message in messages:
        assert message is not None
        mark = json.loads(message.body)["metadata"]["replay"]
        assert (mark["id"], mark["again"]) == (str(replay.id), True)


@pytest.mark.parametrize(
    ("criteria", "count"),
    [
        (Criteria(ALL.start, ALL.end, "stock.*"), 100),
        (Criteria(ALL.start, ALL.end, "#.paid"), 100),
        (Criteria(ALL.start, ALL.end, "nothing.#"), 0),
        (Criteria(ALL.start, ALL.start + timedelta(milliseconds=51)), 50),
        (Criteria(ALL.start + timedelta(hours=12), ALL.end), 150),
        (Criteria(ALL.start, ALL.end, condition="event.data.number <= 10"), 20),
        (Criteria(ALL.start, ALL.end, "order.#", "event.type == 'order.paid' && event.data.number < 10"), 6),
        (Criteria(ALL.start, ALL.end, condition="event.data.no_such_member > 1"), 0),
    ],
)
async def test_survey_and_replay_agree_on_what_fits(log: Database, criteria: Criteria, count: int) -> None:
    """By time, type and filter; an event for which the filter has no value is left out."""
    found, bus = await survey(log, criteria), Kept()
    replay = await begin(log, criteria)
    await replay.run(bus)
    assert sum(found.types.values()) == len(bus.events) == count
    assert len(found.first) == min(count, 5)
    assert {event.id for event in found.first} <= set(bus.ids)


async def test_replay_takes_nothing_that_came_after_it_began(log: Database) -> None:
    """What a transaction that was open then commits later, such as its own events, is not part of it."""
    async with log.transaction() as late:
        await late.execute(
            "insert into saga.events (day, event_id, event_type, event_version, source, occurred_at, recorded_at,"
            " correlation_id, envelope) select day, 'late', event_type, event_version, source, occurred_at,"
            " recorded_at, correlation_id, envelope from saga.events where event_id = $1",
            f"e-{DAY}-1",
        )
        replay = await begin(log, ALL)
    bus = Kept()
    await replay.run(bus)
    assert (await log.fetch("select count(*) as events from saga.events"))[0]["events"] == 301
    assert replay.total == len(bus.ids) == replay.reached.passed == 300


async def test_replay_that_failed_goes_on_where_it_was(log: Database) -> None:
    """A broker that goes away loses nothing; what was confirmed beyond the position is all that is repeated."""
    replay, first = await begin(log, ALL), Kept(away_after=137)
    with pytest.raises(ServiceUnreachableError):
        await replay.run(first)
    again, second = await resume(log, replay.id), Kept()
    assert 100 <= again.reached.passed <= 137
    await again.run(second)
    assert set(first.ids) | set(second.ids) == _ids(BEFORE, range(1, 151)) | _ids(DAY, range(1, 151))
    assert len(first.ids) + len(second.ids) - 300 <= 37
    assert (again.reached.passed, (await resume(log, replay.id)).is_finished) == (300, True)


async def test_replay_that_is_cancelled_keeps_its_place(log: Database) -> None:
    """Ctrl-C in the middle of a page: the place is that of the last event that all before are confirmed."""
    replay, bus = await begin(log, ALL), Kept()

    def told(passed: int) -> None:
        if passed == 150:
            running.cancel()

    running = asyncio.create_task(replay.run(bus, told=told))
    with pytest.raises(asyncio.CancelledError):
        await running
    stopped = await resume(log, replay.id)
    assert 100 < stopped.reached.passed <= 150
    await stopped.run(bus)
    assert set(bus.ids) == _ids(BEFORE, range(1, 151)) | _ids(DAY, range(1, 151))


async def test_replay_leaves_out_what_the_bus_does_not_take(log: Database) -> None:
    """One event that is no event any more, and one that is too large with its mark, do not stop the others."""
    await log.fetch("update saga.events set envelope = '[]' where event_id = $1", f"e-{DAY}-5")
    replay, bus = await begin(log, ALL), Kept()
    await replay.run(bus)
    assert (replay.reached.published, replay.reached.refused) == (299, 1)


async def test_replay_of_archived_days_says_what_to_restore(log: Database, tmp_path: object) -> None:
    """Days that are in the archive only are named, with the command."""
    await archive_days(log, open_storage(str(tmp_path), S3Access()), [BEFORE])
    with pytest.raises(DaysArchivedError, match=f"saga events restore {BEFORE}`"):
        await begin(log, ALL)
    assert (await begin(log, Criteria(ALL.start + timedelta(days=1), ALL.end))).total == 150


async def test_resume_of_an_unknown_replay_says_so(log: Database) -> None:
    """An id that is none of ours."""
    with pytest.raises(UnknownReplayError):
        await resume(log, uuid4())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("event.data.total >", "At character"),
        ("input.total > 3", "At character 1 of `input.total > 3`"),
        ("nobody.knows", "nobody"),
    ],
)
def test_filter_that_cannot_be_used_is_refused_with_its_place(text: str, said: str) -> None:
    """Neither a syntax error nor another root gets as far as the log."""
    with pytest.raises(BadFilterError, match=said):
        compile_filter(text)


async def test_filter_that_is_neither_true_nor_false_stops_the_replay(log: Database) -> None:
    """A number is no condition."""
    with pytest.raises(BadFilterError, match="neither true nor false"):
        await survey(log, Criteria(ALL.start, ALL.end, condition="event.data.number"))

"""The event log: deduplication, outcomes, order."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.envelope import Event
from contracts.json import Json
from store.database import Database
from store.event_log import (
    Arrival,
    Mark,
    Verdict,
    delay,
    digest_of,
    ensure_days,
    forget_delayed,
    forget_seen,
    lag,
    mark,
    recent,
    record,
)
from store.event_reader import find
from store.replays import begin_retry
from tests.bridge.archive.event_log_days import make_day

WINDOW = timedelta(days=7)
ARCHIVED: Final = (
    "insert into saga.archived_days (day, location, events, bytes, manifest) values ($1, 'there', 1, 1, '{}')"
)
EFFECT: Json = {"kind": "started", "workflow_id": "order/A1", "run_id": "r-1"}


def arrival(
    identity: str = "evt-1", *, data: Json = None, key: str | None = None, is_replay: bool = False, **metadata: Json
) -> Arrival:
    """An event in hand."""
    event = Event(identity, "order.placed", "1.0", datetime(2030, 1, 31, 8, tzinfo=UTC), "shop", data, metadata)
    return Arrival(event, key, 0, digest_of(event), is_replay)


async def statuses(database: Database, *arrivals: Arrival, window: timedelta = WINDOW) -> list[str]:
    """Record a batch."""
    return [verdict.status for verdict in await record(database, arrivals, window)]


async def test_record_tells_new_from_again_from_duplicate(database: Database) -> None:
    """A redelivery is processed until the event was marked; then it is a duplicate."""
    assert await statuses(database, arrival()) == ["new"]
    assert await statuses(database, arrival()) == ["again"]
    await mark(database, [Mark("evt-1", "dispatched")])
    assert await statuses(database, arrival()) == ["duplicate"]
    assert len(await find(database, "evt-1")) == 1


async def test_record_takes_no_arrivals(database: Database) -> None:
    """An empty batch is no error."""
    assert await record(database, [], WINDOW) == []
    await mark(database, [])


async def test_record_finds_conflicts_whether_handled_or_not(database: Database) -> None:
    """The same id with another content is told apart, and the first content stays in the log."""
    assert await statuses(database, arrival(data=1), arrival(data=2)) == ["new", "conflict"]
    await mark(database, [Mark("evt-1", "dispatched")])
    assert await statuses(database, arrival(data=2), arrival(data=1)) == ["conflict", "duplicate"]
    assert (await find(database, "evt-1"))[0].envelope["data"] == 1


async def test_record_answers_a_batch_in_its_order(database: Database) -> None:
    """Ids of one batch may repeat, and positions follow the order of arrival."""
    batch = [arrival(name) for name in ("c", "a", "c", "b", "a")]
    assert await statuses(database, *batch) == ["new", "new", "again", "new", "again"]
    rows = await database.fetch("select event_id from saga.events order by position")
    assert [row["event_id"] for row in rows] == ["c", "a", "b"]


async def test_record_never_stops_a_replay(database: Database) -> None:
    """A replay is neither duplicate nor conflict, and learns what the event did before."""
    assert await statuses(database, arrival(data=1)) == ["new"]
    await mark(database, [Mark("evt-1", "dispatched", {"start-1": EFFECT})])
    expected = Verdict("again", None, {"start-1": EFFECT})
    assert (
        await record(database, [arrival(data=2, is_replay=True), arrival(data=1, is_replay=True)], WINDOW)
        == [expected] * 2
    )
    assert await statuses(database, arrival("unknown", is_replay=True)) == ["new"]


async def test_record_tells_a_replay_what_any_day_of_the_log_knows(database: Database) -> None:
    """Also beyond the window, on this day and on earlier ones; of an effect the latest that is known."""
    day = (datetime.now(UTC) - timedelta(days=3)).date()
    await make_day(database, day, 1)
    event = replace(arrival("any").event, id=f"e-{day}-1")
    await database.fetch("update saga.events set effects = $1", {"a": {"kind": "held"}, "b": EFFECT})
    replayed = Arrival(event, None, 0, digest_of(event), is_replay=True, since=day)
    for expected in ({"a": {"kind": "held"}, "b": EFFECT}, {"a": EFFECT, "b": EFFECT}):
        [verdict] = await record(database, [replayed], timedelta(0))
        assert (verdict.done, verdict.missing) == (expected, None)
        await mark(database, [Mark(event.id, "dispatched", {"a": EFFECT})])
    [again] = await record(database, [Arrival(event, None, 0, digest_of(event))], timedelta(0))
    assert (again.status, again.done) == ("new", {})


async def test_record_names_the_day_that_may_know_more_of_a_replay(database: Database) -> None:
    """The one on which it came, and those after a replay or retry that may have been of it; not one that is there."""
    days = [(datetime.now(UTC) - timedelta(days=number)).date() for number in (9, 7, 5)]
    for day in days:
        await database.fetch(ARCHIVED, day)
    await make_day(database, days[0], 1)

    async def missing(since: date | None) -> date | None:
        event = arrival("evt-1").event
        [verdict] = await record(database, [Arrival(event, None, 0, digest_of(event), True, since)], WINDOW)
        return verdict.missing

    asked = (days[0], days[1], days[1] - timedelta(days=1), None)
    assert [await missing(since) for since in asked] == [None, days[1], None, days[2]]
    await begin_retry(database, uuid4())
    assert await missing(days[0]) is None
    await database.fetch("update saga.retries set begun_at = $1", datetime.now(UTC) - timedelta(days=6))
    assert [await missing(since) for since in (None, days[0], days[2])] == [days[2], days[2], days[2]]
    assert await missing(days[2] + timedelta(days=1)) is None


async def test_record_ignores_how_an_event_travelled(database: Database) -> None:
    """Trace context and the mark of a replay do not make another event; other metadata does. The log has no replay."""
    assert await statuses(database, arrival(traceparent="00-a", replay={"id": "r"})) == ["new"]
    assert await statuses(database, arrival(traceparent="00-b", tracestate="x")) == ["again"]
    assert await statuses(database, arrival(tenant="t")) == ["conflict"]
    assert (await find(database, "evt-1"))[0].envelope["metadata"] == {"traceparent": "00-a"}


async def test_record_knows_events_by_source_and_id_where_the_id_is_not_unique(database: Database) -> None:
    """Each is recorded, delayed and marked for itself."""
    both = [replace(arrival(data=source).event, source=source, unique_id=False) for source in ("a", "b")]
    arrivals = [Arrival(each, "k", 0, digest_of(each)) for each in both]
    assert await statuses(database, *arrivals) == ["new", "new"]
    await mark(database, [Mark("a#evt-1", "dispatched")])
    assert await delay(database, "b#evt-1", "k", timedelta(minutes=1))
    assert await statuses(database, *arrivals) == ["duplicate", "again"]
    assert [(await find(database, each.identity))[0].outcome for each in both] == ["dispatched", None]


async def test_record_ignores_what_the_message_filled_in(database: Database) -> None:
    """Only what stands in the place of what the producer left out, and in no other member of that name."""
    first = arrival(correlation_id="c-1", timestamp="own").event
    later = replace(
        first, time=datetime(2031, 1, 1, tzinfo=UTC), metadata={"correlation_id": "c-2", "timestamp": "own"}
    )
    filled = frozenset({"timestamp", "metadata.correlation_id"})
    arrivals = [Arrival(each, None, 0, digest_of(replace(each, filled=filled))) for each in (first, later)]
    assert await statuses(database, *arrivals) == ["new", "again"]
    other = replace(later, filled=filled, metadata={"correlation_id": "c-2", "timestamp": "another"})
    assert await statuses(database, Arrival(other, None, 0, digest_of(other))) == ["conflict"]


async def test_record_counts_ids_older_than_the_window_as_new(database: Database) -> None:
    """After the window an id is a new event with its own outcome."""
    assert await statuses(database, arrival(data=1)) == ["new"]
    await mark(database, [Mark("evt-1", "dispatched", {"start-1": EFFECT})])
    assert await statuses(database, arrival(data=2), window=timedelta(0)) == ["new"]
    assert await statuses(database, arrival(data=2)) == ["again"]
    (logged,) = await find(database, "evt-1")
    assert (logged.envelope["data"], logged.outcome, logged.effects) == (2, None, {})


async def test_record_makes_the_partition_of_a_day_that_has_none(database: Database) -> None:
    """The first event of a fresh database is recorded, and so are those of later days."""
    assert await statuses(database, arrival()) == ["new"]
    (logged,) = await find(database, "evt-1")
    assert logged.day == logged.recorded_at.astimezone(UTC).date()


async def test_record_keeps_every_character(database: Database) -> None:
    """NUL and long keys, which PostgreSQL's text and indexes refuse, harm nobody in the batch."""
    odd = Event(
        "odd", "a.b", "1\x00", datetime(1, 1, 1, tzinfo=UTC), "s\x00", {"\x00": "\x00ü"}, {"correlation_id": "\x00"}
    )
    batch = [Arrival(odd, "k" * 100_000, 9, digest_of(odd)), arrival("other", key="\x00")]
    assert [verdict.status for verdict in await record(database, batch, WINDOW)] == ["new", "new"]
    await delay(database, "odd", "k" * 100_000, timedelta(seconds=2))
    await mark(database, [Mark("odd", "dead-lettered", {"\x00": ["\x00"]}, "because\x00")])
    (logged,) = await find(database, "odd")
    assert logged.envelope["data"] == {"\x00": "\x00ü"}
    assert (logged.effects, logged.reason) == ({"\ufffd": ["\ufffd"]}, "because\ufffd")


async def test_record_says_who_is_behind_a_delayed_event(database: Database) -> None:
    """Later events with its key learn how long it waits, until it is marked; no others do."""
    await record(database, [arrival("first", key="k"), arrival("second", key="k")], WINDOW)
    await delay(database, "first", "k", timedelta(seconds=60))
    await delay(database, "second", "k", timedelta(seconds=5))
    await delay(database, "second", "k", timedelta(seconds=300))
    batch = [arrival("third", key="k"), arrival("first", key="k"), arrival("second", key="k"), arrival("x", key="y")]
    waits = [verdict.behind for verdict in await record(database, batch, WINDOW)]
    assert [wait and round(wait / timedelta(minutes=1)) for wait in waits] == [5, None, 1, None]
    await mark(database, [Mark("first", "dispatched"), Mark("second", "dispatched")])
    assert [verdict.behind for verdict in await record(database, [arrival("third", key="k")], WINDOW)] == [None]


async def test_record_does_not_wait_for_ever_for_a_delayed_event(database: Database) -> None:
    """One that should have come back long ago holds up nobody, and is forgotten."""
    await record(database, [arrival("lost", key="k")], WINDOW)
    await delay(database, "lost", "k", timedelta(seconds=1))
    await database.fetch("update saga.delayed_events set due_at = now() - interval '2 days'")
    assert [verdict.behind for verdict in await record(database, [arrival("next", key="k")], WINDOW)] == [None]
    await forget_delayed(database)
    assert await database.fetch("select * from saga.delayed_events") == []


async def test_record_lets_one_of_many_at_once_be_new(database: Database) -> None:
    """Bridges that record the same events at one moment, in different orders, agree on which is new."""
    await ensure_days(database)
    names = [f"evt-{number}" for number in range(50)]
    batches = [names if number % 2 else names[::-1] for number in range(8)]
    results = await asyncio.gather(*(statuses(database, *(arrival(name) for name in batch)) for batch in batches))
    found = [status for result in results for status in result]
    assert (found.count("new"), found.count("again")) == (50, 350)


async def test_mark_merges_effects_and_passes_over_what_is_not_there(database: Database) -> None:
    """A replay adds to what an event did; an unknown id changes nothing."""
    await record(database, [arrival()], WINDOW)
    await mark(database, [Mark("evt-1", "dead-lettered", {"a": EFFECT}, "no such run"), Mark("absent", "dispatched")])
    await mark(database, [Mark("evt-1", "dispatched", {"b": EFFECT})])
    (logged,) = await find(database, "evt-1")
    assert (logged.outcome, logged.reason, logged.effects) == ("dispatched", None, {"a": EFFECT, "b": EFFECT})
    assert logged.handled_at is not None


async def test_mark_leaves_the_first_event_alone_for_a_duplicate_or_conflict(database: Database) -> None:
    """The row with their id is that of another message."""
    await record(database, [arrival()], WINDOW)
    await mark(database, [Mark("evt-1", "dispatched")])
    await mark(database, [Mark("evt-1", "conflict"), Mark("evt-1", "duplicate")])
    assert (await find(database, "evt-1"))[0].outcome == "dispatched"


async def test_ensure_days_is_made_once_by_many(database: Database) -> None:
    """Processes that make the partitions at one moment do not hinder each other."""
    made = await asyncio.gather(*(ensure_days(database, ahead=3) for _ in range(8)))
    assert sorted(len(days) for days in made) == [0] * 7 + [4]
    assert await ensure_days(database, ahead=3) == []


async def test_forget_seen_drops_only_what_is_older(database: Database) -> None:
    """Ids within the window stay."""
    await record(database, [arrival(f"evt-{number}") for number in range(5)], WINDOW)
    await database.fetch("update saga.seen_events set seen_at = now() - interval '8 days' where event_id < 'evt-3'")
    assert await forget_seen(database, WINDOW) == 3
    assert await forget_seen(database, WINDOW) == 0
    assert await statuses(database, arrival("evt-3"), arrival("evt-0")) == ["again", "new"]


async def test_lag_is_the_age_of_the_oldest_without_an_outcome(database: Database) -> None:
    """None where everything was handled."""
    assert await lag(database) is None
    await record(database, [arrival("old"), arrival("young")], WINDOW)
    await database.fetch("update saga.seen_events set seen_at = now() - interval '1 hour' where event_id = 'old'")
    found = await lag(database)
    assert found is not None
    assert timedelta(hours=1) <= found < timedelta(hours=2)
    await mark(database, [Mark("old", "dispatched"), Mark("young", "unrouted")])
    assert await lag(database) is None


async def test_recent_counts_by_type(database: Database) -> None:
    """How many came, how many are in hand, how many failed."""
    await record(database, [arrival("a"), arrival("b"), arrival("c")], WINDOW)
    await mark(database, [Mark("a", "dispatched"), Mark("b", "dead-lettered")])
    (row,) = await recent(database, timedelta(minutes=1))
    counts = {name: row[name] for name in ("event_type", "events", "in_hand", "dead_lettered")}
    assert counts == {"event_type": "order.placed", "events": 3, "in_hand": 1, "dead_lettered": 1}
    assert await recent(database, timedelta(0)) == []


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1), st.booleans()), max_size=6), max_size=5))
async def test_record_agrees_with_a_plain_model(database: Database, batches: list[list[tuple[int, int, bool]]]) -> None:
    """Any interleaving of ids, contents and marks gives what a dictionary gives; a conflict is never run."""
    await database.fetch("truncate saga.events, saga.seen_events")
    known: dict[int, tuple[int, bool]] = {}
    for batch in batches:
        expected: list[Any] = []
        for name, content, _ in batch:
            first, handled = known.setdefault(name, (content, False))
            fresh = name not in {each[0] for each in expected} and first == content and not handled
            expected.append((name, "conflict" if first != content else "duplicate" if handled else "?", fresh))
        found = await statuses(database, *(arrival(str(name), data=content) for name, content, _ in batch))
        for (_, wanted, _), status in zip(expected, found, strict=True):
            assert status == wanted or (wanted == "?" and status in ("new", "again"))
        marked = {name for name, _, marks in batch if marks}
        await mark(database, [Mark(str(name), "dispatched") for name in marked])
        known.update({name: (known[name][0], True) for name in marked})


@pytest.mark.parametrize("change", [{"data": 2}, {"key": "k", "source": "elsewhere"}])
def test_digest_differs_with_the_content(change: dict[str, Any]) -> None:
    """What the producer said is in it; the key that we found is not."""
    assert arrival(**change).digest != arrival().digest
    assert arrival(key="k").digest == arrival().digest

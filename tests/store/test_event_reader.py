"""Following the event log without skipping anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from contracts.envelope import Event
from contracts.topics import topic_matches
from store.database import Database, Session
from store.event_log import Arrival, Mark, digest_of, ensure_days, mark, record
from store.event_reader import Cursor, Filter, Logged, count, horizon, latest, read_after

LATE = (
    "insert into saga.events (day, event_id, event_type, event_version, source, occurred_at, correlation_id, envelope) "
    "values ((now() at time zone 'utc')::date, $1, 'late.event', '1.0', '', now(), '', '{}')"
)


async def put(database: Database, *names: str, kind: str = "order.placed", correlation: str = "c") -> None:
    """Record events."""
    when = datetime(2030, 1, 31, 8, tzinfo=UTC)
    events = [Event(name, kind, "1.0", when, "shop", None, {"correlation_id": correlation}) for name in names]
    arrivals = [Arrival(event, f"key of {event.id}", 0, digest_of(event)) for event in events]
    await record(database, arrivals, timedelta(days=7))


async def late(session: Session, name: str) -> None:
    """Write an event whose transaction stays open."""
    await session.execute(LATE, name)


def names(logged: list[Logged]) -> list[str]:
    """The ids."""
    return [each.event_id for each in logged]


async def drained(database: Database, cursor: Cursor) -> tuple[list[str], Cursor]:
    """Read on, two at a time, until nothing more comes."""
    found: list[str] = []
    while batch := await read_after(database, cursor, 2):
        found += names(batch)
        cursor = batch[-1].cursor
    return found, cursor


async def test_reader_sees_everything_once_in_order(database: Database) -> None:
    """Pages follow each other without a gap."""
    await put(database, "a", "b", "c")
    await put(database, "d", "e")
    found, cursor = await drained(database, Cursor())
    assert found == ["a", "b", "c", "d", "e"]
    await put(database, "f")
    assert (await drained(database, cursor))[0] == ["f"]


async def test_reader_never_skips_what_is_committed_late(database: Database) -> None:
    """While one writer holds its transaction open, what others commit after it waits; then all is read, once."""
    await ensure_days(database)
    await put(database, "before")
    async with database.transaction() as first:
        await late(first, "slow")
        await put(database, "after", "after that")
        found, cursor = await drained(database, Cursor())
        assert found == ["before"]
    await put(database, "last")
    assert (await drained(database, cursor))[0] == ["slow", "after", "after that", "last"]


async def test_reader_never_skips_positions_given_out_of_order(database: Database) -> None:
    """A transaction that began first and wrote last comes first, although its position is higher."""
    await ensure_days(database)
    async with database.transaction() as early:
        await early.execute("select pg_current_xact_id()")
        await put(database, "quick")
        await late(early, "slow")
        assert await read_after(database, Cursor(), 10) == []
    rows = await read_after(database, Cursor(), 10)
    assert names(rows) == ["slow", "quick"]
    assert rows[0].position > rows[1].position


async def test_horizon_is_where_nothing_was_missed_yet(database: Database) -> None:
    """A reader that begins there sees what was open then and all that comes later, and nothing from before."""
    await put(database, "before")
    async with database.transaction() as open_one:
        await late(open_one, "open")
        cursor = await horizon(database)
    await put(database, "later")
    assert (await drained(database, cursor))[0] == ["open", "later"]


async def test_latest_gives_the_end_of_the_log(database: Database) -> None:
    """The oldest of the latest comes first."""
    await put(database, "a", "b", "c")
    assert names(await latest(database, 2)) == ["b", "c"]


async def test_reader_filters(database: Database) -> None:
    """By type, time, outcome, correlation and key; counting agrees with reading."""
    await put(database, "a", kind="order.placed")
    await put(database, "b", kind="order.paid", correlation="other")
    await put(database, "c", kind="user.created")
    await mark(database, [Mark("c", "dispatched")])
    now = datetime.now(UTC)
    hour = timedelta(hours=1)
    for where, expected in {
        ("patterns", ("order.*",)): ["a", "b"],
        ("patterns", ("*.placed", "user.#")): ["a", "c"],
        ("outcomes", ("dispatched", "expired")): ["c"],
        ("correlation_id", "other"): ["b"],
        ("group_key", "key of a"): ["a"],
        ("from_", now - hour): ["a", "b", "c"],
        ("from_", now + hour): [],
        ("to", now + hour): ["a", "b", "c"],
        ("to", now - hour): [],
    }.items():
        wanted = Filter(**{where[0]: where[1]})  # type: ignore[arg-type]  # a table of members and values
        assert names(await read_after(database, Cursor(), 10, wanted)) == expected, where
        assert names(await latest(database, 10, wanted)) == expected
        assert await count(database, wanted) == len(expected)


@pytest.mark.parametrize("pattern", ["#", "*", "a.b", "a.*", "a.#", "#.b", "a.#.b", "*.b.#", "#.#", "a+", "x.#.y.*"])
async def test_patterns_agree_with_the_broker(database: Database, pattern: str) -> None:
    """The database matches types as the bridge does."""
    kinds = ["a", "a.b", "a.b.c", "b", "a.x.y.b", "x.y", "x.y.z", "aa", "a+", "ab"]
    for kind in kinds:
        await put(database, kind, kind=kind)
    found = await read_after(database, Cursor(), 100, Filter(patterns=[pattern]))
    assert names(found) == [kind for kind in kinds if topic_matches(pattern, kind)]

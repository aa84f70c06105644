"""What operators look at, read from real tables."""

from __future__ import annotations

import json
import socket
import uuid
from datetime import UTC, datetime, timedelta

from store import dead_letters
from store.bridges import beat
from store.database import Database
from store.top import Figures, Rate, read_figures, read_rates

NOTHING = Figures(timedelta(), 0, 0, 0, timedelta(), 0, 0, 0)
MINUTE = timedelta(minutes=1)


async def _recorded(database: Database, kind: str, outcome: str | None, seconds_ago: float = 0) -> None:
    """Write an event and what became of it, as the log has it."""
    identity, ago = uuid.uuid4().hex, timedelta(seconds=seconds_ago)
    async with database.transaction() as session:
        await session.execute(
            """insert into saga.events (day, event_id, event_type, event_version, source, occurred_at, recorded_at,
               correlation_id, envelope, outcome)
               select (at at time zone 'utc')::date, $1, $2, '1.0', '', at, at, '', '{}', $3
               from (select now() - $4::interval as at) moment""",
            *(identity, kind, outcome, ago),
        )
        await session.execute(
            """insert into saga.seen_events (event_id, digest, day, seen_at, handled)
               values ($1, '', now()::date, now() - $2::interval, $3)""",
            *(identity, ago, outcome is not None),
        )


def _letter(identity: str) -> dead_letters.Letter:
    now = datetime.now(UTC)
    return dead_letters.Letter(identity, None, None, "events", "a", "x", "y", 1, now, now, {}, {}, None, b"")


async def _partitioned(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute("create table saga.events_of_the_test partition of saga.events default")


async def test_figures_of_an_empty_database_are_zero(database: Database) -> None:
    """Nothing waits, nobody is there."""
    assert await read_figures(database) == NOTHING


async def test_lag_is_the_age_of_the_oldest_event_without_an_outcome(database: Database) -> None:
    """One that has its outcome does not count, however old."""
    await _partitioned(database)
    await _recorded(database, "a.b", "dispatched", 500)
    await _recorded(database, "a.b", None, 90)
    await _recorded(database, "a.b", None, 20)
    lag = (await read_figures(database)).lag
    assert timedelta(seconds=90) <= lag < timedelta(seconds=200)


async def test_figures_count_what_waits_and_who_is_alive(database: Database) -> None:
    """Dead letters that are open, the outbox without what is parked, held and delayed events, bridges."""
    await dead_letters.add(database, [_letter("1"), _letter("2"), _letter("3")])
    [first, *_] = await dead_letters.page(database)
    await dead_letters.set_state(database, [first.id], "dropped")
    async with database.transaction() as session:
        for parked in (None, None, "nobody takes it"):
            await session.execute(
                """insert into saga.outbox (event_id, shard, envelope, written_at, parked)
                   values ('e', 0, $1, now() - interval '5 minutes', $2)""",
                *(json.dumps({}), parked),
            )
        await session.execute(
            "insert into saga.delayed_events (event_id, group_key, due_at, position) values ('e', 'g', now(), 1)"
        )
    await beat(database, uuid.uuid4(), socket.gethostname(), 1, True, {"in_hand": 3})
    figures = await read_figures(database)
    assert (figures.dead_letters, figures.outbox, figures.parked, figures.delayed, figures.bridges) == (2, 2, 1, 1, 1)
    assert timedelta(minutes=5) <= figures.outbox_age < timedelta(minutes=10)


async def test_rates_count_a_window_by_type_and_outcome(database: Database) -> None:
    """The busiest first; what is older is out."""
    await _partitioned(database)
    for outcome in ("dispatched", "dispatched", "unrouted", None):
        await _recorded(database, "busy", outcome)
    await _recorded(database, "calm", "dead-lettered")
    await _recorded(database, "calm", "dispatched", 300)
    assert await read_rates(database, MINUTE) == [
        Rate("busy", 4, {"dispatched": 2, "unrouted": 1}, 1),
        Rate("calm", 1, {"dead-lettered": 1}, 0),
    ]

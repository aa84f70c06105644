"""The outbox: there together with its effect or not at all, in order, and held by one relay at a time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from contracts.envelope import Event
from contracts.json import Json
from contracts.ports import UnfitEventError
from store.database import Database
from store.outbox import (
    SHARDS,
    Claim,
    add,
    add_alone,
    add_many,
    claimed,
    drop_parked,
    key_of,
    outbox_state,
    parked_rows,
    release_parked,
    shard_of,
    waiting_shards,
)

MOMENT = datetime(2030, 1, 31, 8, 0, 0, 123456, tzinfo=UTC)


def _event(identity: str = "evt-1", data: Json = None, **metadata: Json) -> Event:
    return Event(identity, "order.placed", "1.0", MOMENT, "tests", data, metadata)


async def _ids(database: Database, shard: int) -> list[str]:
    async with claimed(database, shard) as claim:
        assert claim is not None
        return [row.event.id for row in claim.rows]


async def test_outbox_gives_back_what_was_written(database: Database) -> None:
    """The event is the same, whatever its text and numbers, and so is its priority."""
    data: Json = {"text": "ü\x00\n\\", "big": 2**70, "small": 1e-300, "none": None, "list": [True, []]}
    ends = MOMENT + timedelta(hours=1)
    event = Event("evt-1", "a.b", "2.1", MOMENT, "s", data, {"group_id": "g"}, ends, unique_id=False)
    await add_alone(database, event, 7)
    async with claimed(database, shard_of(event)) as claim:
        assert claim is not None
        assert [(row.event, row.priority, row.tries, row.key) for row in claim.rows] == [(event, 7, 0, "g")]


async def _change(database: Database, key: str) -> None:
    async with database.transaction() as session:
        await session.execute("insert into public.effects values ($1)", key)
        await add(session, _event(key, correlation_id="c"))
        if key == "undone":
            raise ZeroDivisionError


async def test_outbox_has_an_event_exactly_if_its_effect_is_there(database: Database) -> None:
    """A transaction that is rolled back leaves no ghost; one that is committed misses nothing."""
    await database.fetch("create table public.effects (key text)")
    await _change(database, "kept")
    with pytest.raises(ZeroDivisionError):
        await _change(database, "undone")
    assert await database.fetch("select key from public.effects") == [{"key": "kept"}]
    assert await _ids(database, shard_of(_event(correlation_id="c"))) == ["kept"]


@pytest.mark.parametrize("data", [float("inf"), "\udc00"])
async def test_outbox_refuses_what_is_no_json(database: Database, data: float | str) -> None:
    """It is said where the event is made, not where it is published."""
    with pytest.raises(UnfitEventError):
        await add_alone(database, _event(data=data))
    assert await waiting_shards(database) == []


def test_key_is_group_then_correlation_then_id() -> None:
    """What belongs together is in one shard."""
    assert key_of(_event("e", group_id="g", correlation_id="c")) == "g"
    assert key_of(_event("e", correlation_id="c")) == "c"
    assert key_of(_event("e", group_id="")) == "e"


def test_shards_are_fixed_and_all_used() -> None:
    """The shard of a key never changes, or a release would tear keys apart while it is rolled out."""
    assert [shard_of(_event(group_id=group)) for group in ("a", "b", "A1")] == [3, 9, 1]
    assert {shard_of(_event(str(number))) for number in range(500)} == set(range(SHARDS))


async def test_shard_is_held_by_one_at_a_time(database: Database) -> None:
    """A second relay gets nothing of a shard that is held, and all of it afterwards."""
    for number in range(3):
        await add_alone(database, _event(f"evt-{number}", group_id="g"))
    shard = shard_of(_event(group_id="g"))
    async with claimed(database, shard, 2) as first, claimed(database, shard) as second:
        assert first is not None
        assert [row.event.id for row in first.rows] == ["evt-0", "evt-1"]
        assert second is None
        await first.remove(row.id for row in first.rows)
    assert await _ids(database, shard) == ["evt-2"]


async def test_claim_that_fails_changes_nothing(database: Database) -> None:
    """What was removed in a transaction that did not commit is still there."""
    await add_alone(database, _event(group_id="g"))
    shard = shard_of(_event(group_id="g"))
    with pytest.raises(ZeroDivisionError):
        await _remove_and_fail(database, shard)
    assert await _ids(database, shard) == ["evt-1"]


async def _remove_and_fail(database: Database, shard: int) -> None:
    async with claimed(database, shard) as claim:
        assert claim is not None
        await claim.remove(row.id for row in claim.rows)
        raise ZeroDivisionError


async def test_outbox_shows_a_row_of_a_transaction_that_commits_late(database: Database) -> None:
    """A smaller number that becomes visible after a larger one has gone is not skipped."""
    shard = shard_of(_event(group_id="g"))
    async with database.transaction() as late:
        await add(late, _event("late", group_id="g"))
        await add_alone(database, _event("early", group_id="g"))
        async with claimed(database, shard) as claim:
            assert claim is not None
            assert [row.event.id for row in claim.rows] == ["early"]
            await claim.remove(row.id for row in claim.rows)
    assert await _ids(database, shard) == ["late"]


async def _park_first(claim: Claim | None, reason: str) -> None:
    assert claim is not None
    await claim.park(claim.rows[0].id, reason)


async def test_parked_row_is_out_of_the_way_and_visible(database: Database) -> None:
    """It keeps its reason; it can be let go again, in its old place, or removed."""
    shard = shard_of(_event(group_id="g"))
    for identity in ("bad", "good"):
        await add_alone(database, _event(identity, group_id="g"))
    async with claimed(database, shard) as claim:
        await _park_first(claim, "too large")
    assert await _ids(database, shard) == ["good"]
    (parked,) = await parked_rows(database)
    assert (parked.event_id, parked.event.id, parked.reason, parked.tries) == ("bad", "bad", "too large", 1)
    assert await drop_parked(database, [parked.id + 1]) == 0
    assert await release_parked(database, [parked.id]) == 1
    assert await _ids(database, shard) == ["bad", "good"]
    async with claimed(database, shard) as claim:
        await _park_first(claim, "again")
    assert await drop_parked(database, [parked.id]) == 1
    assert await parked_rows(database) == []


async def test_outbox_state_counts_and_dates(database: Database) -> None:
    """How much waits, how much is parked, and how long the oldest has waited."""
    assert await outbox_state(database) == await outbox_state(database)
    for number in range(3):
        await add_alone(database, _event(f"evt-{number}", group_id="g"))
    async with claimed(database, shard_of(_event(group_id="g"))) as claim:
        await _park_first(claim, "why")
        assert claim is not None
        await claim.count_try([claim.rows[1].id])
    await database.fetch("update saga.outbox set written_at = now() - interval '1 hour' where event_id = 'evt-2'")
    state = await outbox_state(database)
    assert (state.waiting, state.parked) == (2, 1)
    assert timedelta(hours=1) <= state.oldest < timedelta(hours=2)


async def test_waiting_shards_are_those_with_something_to_do(database: Database) -> None:
    """Shards of parked rows alone do not count."""
    events = [_event(f"evt-{number}", group_id=f"g{number}") for number in range(40)]
    await asyncio.gather(*(add_alone(database, event) for event in events))
    assert set(await waiting_shards(database)) == {shard_of(event) for event in events}
    await database.fetch("update saga.outbox set parked = 'why'")
    assert await waiting_shards(database) == []


async def test_many_events_are_written_at_once_and_again(database: Database) -> None:
    """In their order; what waits there already is left out where somebody writes again."""
    given = [_event(f"e{number}", group_id=f"k{number % 3}") for number in range(50)]
    async with database.transaction() as session:
        assert await add_many(session, given[:30]) == 30
        assert await add_many(session, given, again=True) == 20
    rows = await database.fetch("select event_id from saga.outbox order by id")
    assert [row["event_id"] for row in rows] == [each.id for each in given]

"""The event log in trouble: conflicts are repeated, and a record that a crash took away is written again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from bridge.breaker import Breaker
from bridge.recording import Recording, recording
from contracts.envelope import Event
from contracts.json import Json
from store.database import Database
from store.errors import ConnectionLostError
from store.event_log import Arrival, Mark, digest_of, ensure_days
from store.event_reader import find

WINDOW = timedelta(hours=1)
EFFECTS: dict[str, Json] = {"r-1": {"kind": "started", "workflow_id": "order/1", "run_id": "1"}}

# Numbers of a sequence are not rolled back, so it counts the tries.
_TROUBLE = """
create sequence public.tries;
create function public.trouble() returns trigger language plpgsql as $$ begin
    if nextval('public.tries') <= 2 then raise exception 'planned' using errcode = '40P01'; end if;
    return new;
end $$;
"""


@pytest.fixture
async def log(database: Database) -> AsyncIterator[Recording]:
    """The event log of a bridge."""
    breaker = Breaker("PostgreSQL", timedelta(seconds=1), (ConnectionLostError,))
    async with recording(database, breaker, WINDOW) as opened:
        yield opened


def _arrival(identity: str, key: str = "k") -> Arrival:
    event = Event(identity, "a.b", "1.0", datetime(2030, 1, 31, 8, tzinfo=UTC), "tests", {}, {})
    return Arrival(event, key, 0, digest_of(event))


async def _conflicts(database: Database, event: str, table: str) -> None:
    """The next two statements of this kind meet another transaction."""
    async with database.transaction() as session:
        await session.execute(_TROUBLE)
        await session.execute(
            f"create trigger trouble before {event} on saga.{table} for each row execute function public.trouble()"
        )


async def _tries(database: Database) -> int:
    return int((await database.fetch("select last_value as tries from public.tries"))[0]["tries"])


async def _lost(database: Database) -> None:
    """PostgreSQL crashed before what was recorded was on disk."""
    async with database.transaction() as session:
        for table in ("seen_events", "events", "delayed_events"):
            await session.execute(f"delete from saga.{table}")  # noqa: S608 - fixed words


async def test_conflict_while_recording_is_repeated(database: Database, log: Recording) -> None:
    """It is nobody's failure, and costs no delivery."""
    await ensure_days(database)
    await _conflicts(database, "insert", "seen_events")
    assert (await log.record(_arrival("one"))).status == "new"
    assert await _tries(database) == 3


async def test_conflict_while_marking_is_repeated(database: Database, log: Recording) -> None:
    """All of the batch is marked in the end, with its effects."""
    arrival = _arrival("one")
    await log.record(arrival)
    await _conflicts(database, "update", "events")
    await log.mark(Mark("one", "dispatched", EFFECTS), arrival)
    (logged,) = await find(database, "one")
    assert (logged.outcome, logged.effects, await _tries(database)) == ("dispatched", EFFECTS, 3)


async def test_conflict_while_delaying_is_repeated(database: Database, log: Recording) -> None:
    """Later events of the key are behind it in the end."""
    await log.record(arrival := _arrival("one"))
    await _conflicts(database, "insert", "delayed_events")
    await log.delay(arrival, 4, {})
    assert (await log.record(_arrival("two"))).behind is not None
    assert await _tries(database) == 3


async def test_record_that_a_crash_took_is_written_again_with_its_mark(database: Database, log: Recording) -> None:
    """The event is in the log, and a repetition is known."""
    await log.record(arrival := _arrival("one"))
    await _lost(database)
    await log.mark(Mark("one", "dispatched", EFFECTS), arrival)
    (logged,) = await find(database, "one")
    assert (logged.outcome, logged.effects) == ("dispatched", EFFECTS)
    assert (await log.record(arrival)).status == "duplicate"


async def test_record_that_a_crash_took_is_written_again_with_its_delay(database: Database, log: Recording) -> None:
    """Later events of its key stay behind it, and what it did is kept."""
    await log.record(arrival := _arrival("one"))
    await _lost(database)
    await log.delay(arrival, 4, EFFECTS)
    assert (await log.record(_arrival("two"))).behind is not None
    assert (await log.record(arrival)).done == EFFECTS


async def test_mark_of_what_nobody_recorded_changes_nothing(database: Database, log: Recording) -> None:
    """A held message of an event that the log has forgotten is delivered all the same."""
    await log.mark(Mark("forgotten", "dispatched", of_held=True))
    assert await find(database, "forgotten") == []

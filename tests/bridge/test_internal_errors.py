"""What is wrong with us or our store is never the event's fault: it waits, is told, and is handled in the end."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import LiteralString

import pytest

from bridge.breaker import Breaker
from bridge.recording import recording
from contracts.envelope import Event
from store.database import Database
from store.errors import ConnectionLostError
from store.event_log import Arrival, Mark, digest_of, ensure_days
from store.event_reader import find
from tests.bridge.environment import BridgeEnvironment
from tests.bridge.library import definition, event, library, on, template
from tests.support.bus import Bus
from tests.support.waiting import eventually
from workflows.language.triggers import Hold, Signal, Start

pytestmark = pytest.mark.fault

HELD = library(
    definition(
        "patient",
        on("patient.begin", Start(template("${ event.data.id }"))),
        on("patient.note", Signal(template("${ event.data.id }"), "note", if_missing=Hold(timedelta(hours=1)))),
    )
)

_REFUSING = """
create sequence public.refusals;
create function public.refuse() returns trigger language plpgsql as $$ begin
    if nextval('public.refusals') <= 2 then raise exception 'planned' using errcode = '42501'; end if;
    return new;
end $$;
"""
"""Numbers of a sequence are not rolled back, so it counts the refusals."""


async def _refuse(database: Database, trigger: LiteralString) -> None:
    """Let the next two statements of a kind be refused: as by a wrong grant, or a table that a migration locked out."""
    async with database.transaction() as session:
        await session.execute(_REFUSING)
        await session.execute(trigger)


RECORDING: LiteralString = (
    "create trigger refuse before insert on saga.events for each row execute function public.refuse()"
)
MARKING: LiteralString = (
    "create trigger refuse before update on saga.seen_events for each row execute function public.refuse()"
)
HOLDING: LiteralString = (
    "create trigger refuse before insert on saga.held_events for each row execute function public.refuse()"
)


def _arrival(identity: str) -> Arrival:
    told = Event(identity, "a.b", "1.0", datetime(2030, 1, 31, 8, tzinfo=UTC), "tests", {}, {})
    return Arrival(told, "k", 0, digest_of(told))


@pytest.mark.parametrize("refused", [RECORDING, MARKING])
async def test_what_the_store_refuses_is_written_again_and_told(database: Database, refused: LiteralString) -> None:
    """With growing delays, an alarm each time, and nothing lost."""
    alarms: list[str] = []
    breaker = Breaker("PostgreSQL", timedelta(seconds=1), (ConnectionLostError,))
    await ensure_days(database)
    await _refuse(database, refused)
    async with recording(database, breaker, timedelta(hours=1), alarm=alarms.append) as log:
        await log.record(arrival := _arrival("one"))
        await log.mark(Mark("one", "dispatched"), arrival)
    (logged,) = await find(database, "one")
    assert (logged.outcome, alarms) == ("dispatched", ["statement-refused"] * 2)


@pytest.mark.parametrize("refused", [RECORDING, MARKING])
async def test_event_that_the_store_refuses_waits_and_is_handled(
    env: BridgeEnvironment, bus: Bus, refused: LiteralString
) -> None:
    """It is in hand meanwhile, and no letter is written."""
    key = env.key()
    async with env.bridge():
        await _refuse(env.database, refused)
        await bus.publish(event("quick.go", {"id": key}, key))
        await env.outcomes.until(1)
    assert [outcome.word for outcome in env.outcomes] == ["dispatched"]
    assert await env.finished(f"quick/{key}") == 1
    assert await env.letters(0) == []


async def test_message_that_cannot_be_held_now_comes_back(env: BridgeEnvironment, bus: Bus) -> None:
    """A refusal in the middle of a dispatch is not the refusal of the dispatch."""
    key = env.key()
    async with env.bridge(loaded=HELD):
        await _refuse(env.database, HOLDING)
        await bus.publish(event("patient.note", {"id": key, "say": "end"}, f"{key}-end"))
        await env.outcomes.until(3)
        await bus.publish(event("patient.begin", {"id": key}, f"{key}-begin"))
        assert await env.notes(key) == ["end"]
    assert [outcome.word for outcome in env.outcomes][:3] == ["delayed", "delayed", "held"]
    assert await env.letters(0) == []


async def test_midnight_with_three_bridges_puts_nothing_aside(env: BridgeEnvironment, bus: Bus) -> None:
    """The day has no partition yet when all three record: they make it, and every event is handled. Several times."""
    midnights, each = 4, 60
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(env.bridge(sign_of_life=timedelta(milliseconds=200)))
        for midnight in range(midnights):
            first, second = (
                [event("nobody.cares", {}, f"{midnight}-{half}-{number}") for number in range(each)] for half in "ab"
            )
            await asyncio.gather(bus.publish_many(first), _drop_days(env.database))
            await bus.publish_many(second)
            await env.outcomes.until((midnight + 1) * 2 * each)
    assert {outcome.word for outcome in env.outcomes} == {"unrouted"}
    assert await env.letters(0) == []


async def _drop_days(database: Database) -> None:
    """Take the partitions away, as if the day were one that nobody has made; others may write to them meanwhile."""

    async def dropped() -> bool:
        rows = await database.fetch(
            "select inhrelid::regclass::text as name from pg_inherits where inhparent = 'saga.events'::regclass"
        )
        async with database.transaction() as session:
            for row in rows:
                await session.execute(f"drop table if exists {row['name']}")
        return True

    await eventually(dropped)

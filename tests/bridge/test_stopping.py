"""A bridge that is told to stop while PostgreSQL is away: it ends after its patience, and nothing is lost."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from store import held
from store.database import open_database
from tests.bridge.bus import Bus
from tests.bridge.library import definition, event, library, on
from tests.bridge.proxy import amqp_proxy
from tests.bridge.waiting import eventually
from tests.bridge.world import KEY, World
from workflows.language.triggers import Hold, Signal, Start

IMPATIENT = timedelta(milliseconds=300)
HOLDING = library(
    definition("patient", on("patient.begin", Start(KEY)), on("patient.note", Signal(KEY, "note", if_missing=Hold())))
)


async def test_bridge_stops_while_a_delivery_waits_for_postgresql(world: World, bus: Bus) -> None:
    """The event in hand is handled by the next bridge."""
    key = world.key()
    async with amqp_proxy(world.database_url) as (line, url), open_database(url) as frail, asyncio.timeout(60):
        async with world.bridge(database=frail, patience=IMPATIENT):
            line.cut()
            await bus.publish(event("quick.go", {"id": key}, key))
            await line.tried()
        line.mend()
    assert world.outcomes == []
    async with world.bridge():
        await world.outcomes.until(1)
    assert await world.finished(f"quick/{key}") == 1


async def test_bridge_stops_while_a_held_message_is_delivered_and_not_marked(world: World, bus: Bus) -> None:
    """The keeper is in the middle of its work: it is cut off, and the next one finishes it."""
    key = world.key()
    async with world.bridge(loaded=HOLDING):
        await bus.publish(event("patient.note", {"id": key, "say": "one"}, f"{key}-one"))
        await world.outcomes.until(1)
    assert world.outcomes[0].word == "held"
    await world.client.start_workflow("patient", {}, id=f"patient/{key}", task_queue=world.task_queue)

    async def marking() -> bool:
        waiting = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        return await world.database.fetch(waiting) != []

    async with amqp_proxy(world.database_url) as (line, url), open_database(url) as frail, asyncio.timeout(60):
        async with world.database.transaction() as other:
            await other.execute("lock table saga.seen_events in share mode")
            async with world.bridge(database=frail, loaded=HOLDING, patience=IMPATIENT):
                await eventually(marking)
                line.cut()
        line.mend()
    await _finished(world, bus, key)


async def _finished(world: World, bus: Bus, key: str) -> None:
    async def none_held() -> bool:
        return await held.count(world.database) == 0

    async with world.bridge(loaded=HOLDING):
        await eventually(none_held)
        await bus.publish(event("patient.note", {"id": key, "say": "end"}, f"{key}-end"))
        assert await world.notes(key) == ["one", "end"]

"""A bridge that is stopped while PostgreSQL is away: it ends after its patience, and nothing is lost."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from store import held
from store.database import open_database
from tests.bridge.environment import KEY, BridgeEnvironment
from tests.bridge.library import definition, event, library, on
from tests.support.bus import Bus
from tests.support.proxy import amqp_proxy
from tests.support.waiting import PATIENCE_SECONDS, eventually
from workflows.language.triggers import Hold, Signal, Start

pytestmark = pytest.mark.fault

IMPATIENT = timedelta(milliseconds=300)
HOLDING = library(
    definition("patient", on("patient.begin", Start(KEY)), on("patient.note", Signal(KEY, "note", if_missing=Hold())))
)


async def test_bridge_stops_while_a_delivery_waits_for_postgresql(env: BridgeEnvironment, bus: Bus) -> None:
    """The event in hand is handled by the next bridge."""
    key = env.key()
    async with (
        amqp_proxy(env.database_url) as (line, url),
        open_database(url) as frail,
        asyncio.timeout(PATIENCE_SECONDS),
    ):
        async with env.bridge(database=frail, patience=IMPATIENT):
            line.cut()
            await bus.publish(event("quick.go", {"id": key}, key))
            await line.tried()
        line.mend()
    assert env.outcomes == []
    async with env.bridge():
        await env.outcomes.until(1)
    assert await env.finished(f"quick/{key}") == 1


async def test_bridge_stops_while_a_held_message_is_delivered_and_not_marked(env: BridgeEnvironment, bus: Bus) -> None:
    """The keeper is in the middle of its work: it is cut off, and the next one finishes it."""
    key = env.key()
    async with env.bridge(loaded=HOLDING):
        await bus.publish(event("patient.note", {"id": key, "say": "one"}, f"{key}-one"))
        await env.outcomes.until(1)
    assert env.outcomes[0].word == "held"
    await env.client.start_workflow("patient", {}, id=f"patient/{key}", task_queue=env.task_queue)

    async def marking() -> bool:
        waiting = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        return await env.database.fetch(waiting) != []

    async with (
        amqp_proxy(env.database_url) as (line, url),
        open_database(url) as frail,
        asyncio.timeout(PATIENCE_SECONDS),
    ):
        async with env.database.transaction() as other:
            await other.execute("lock table saga.seen_events in share mode")
            async with env.bridge(database=frail, loaded=HOLDING, patience=IMPATIENT):
                await eventually(marking)
                line.cut()
        line.mend()
    await _finished(env, bus, key)


async def _finished(env: BridgeEnvironment, bus: Bus, key: str) -> None:
    async def none_held() -> bool:
        return await held.count(env.database) == 0

    async with env.bridge(loaded=HOLDING):
        await eventually(none_held)
        await bus.publish(event("patient.note", {"id": key, "say": "end"}, f"{key}-end"))
        assert await env.notes(key) == ["one", "end"]

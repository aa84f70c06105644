"""A correlated event whose bridge ends between the signal and the mark: the run has its message, and it is known."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Final

import pytest
from temporalio.client import Client

from bridge.bridge import Bridge, running_bridge
from bridge.settings import BridgeSettings
from bridge.surroundings import Surroundings, Watchers
from contracts.envelope import Event
from store import dead_letters
from store.database import Database
from store.event_reader import find
from tests.bridge.bus import TOPOLOGY, Bus
from tests.bridge.desk import ORDERS, Desk, fresh, note, open_desk, placed
from tests.bridge.waiting import eventually
from tests.bridge.world import Outcomes
from workflows.temporal.finding import correlated_runs

# The disk is full: what comes is recorded, but nothing can be marked.
_FULL: Final = """
create function public.full() returns trigger language plpgsql as $$ begin
    raise exception 'planned' using errcode = '53100';
end $$
"""
_TRIGGER: Final = (
    "create trigger full_disk before update on saga.seen_events for each row execute function public.full()"
)


@pytest.fixture
async def desk(client: Client, database: Database) -> AsyncIterator[Desk]:
    """A worker for orders."""
    async with open_desk(client, database) as opened:
        yield opened


def _bridge(desk: Desk, amqp_url: str, outcomes: Outcomes) -> AbstractAsyncContextManager[Bridge]:
    settings = BridgeSettings(TOPOLOGY, task_queue=desk.queue, patience=timedelta(milliseconds=300))
    around = Surroundings(amqp_url, desk.client, desk.database, lambda: ORDERS)
    return running_bridge(around, settings, Watchers(outcomes.add))


async def _waits(desk: Desk, entry: str) -> None:
    async def there() -> bool:
        return bool(await correlated_runs(desk.client, "order", (entry,)))

    await eventually(there)


@pytest.mark.parametrize("kind", ["paid.kept", "paid.strict"])
async def test_correlated_event_is_known_after_a_crash_before_its_mark(
    desk: Desk, bus: Bus, amqp_url: str, kind: str
) -> None:
    """What was noted before the signal is what counts, whatever its trigger says of missing runs."""
    key, outcomes = fresh(), Outcomes()
    told = note(kind, "paid", invoice=f"I-{key}")
    async with asyncio.timeout(60), _bridge(desk, amqp_url, outcomes):
        await bus.publish(placed(key))
        await outcomes.until(1)
        await _waits(desk, f"invoice=I-{key}")
        for statement in (_FULL, _TRIGGER):
            await desk.database.fetch(statement)
        await bus.publish(told)
        assert await desk.said(key) == ["paid"]
    assert len(outcomes) == 1
    await desk.database.fetch("drop trigger full_disk on saga.seen_events")
    async with _bridge(desk, amqp_url, outcomes):
        await outcomes.until(2)
        await desk.database.fetch("update saga.held_events set next_try_at = now()")
        await _dispatched(desk, told)
        await bus.all_taken()
    assert await desk.runs(key) == 1
    assert await dead_letters.page(desk.database) == []


async def _dispatched(desk: Desk, told: Event) -> None:
    """Wait until nothing is held, and hold that the log has the event as dispatched."""

    async def none_held() -> bool:
        return await desk.keeper.count() == 0

    await eventually(none_held)
    (logged,) = await find(desk.database, told.id)
    assert logged.outcome == "dispatched"
    assert [effect["kind"] for effect in (logged.effects or {}).values()] == ["signalled"]  # type: ignore[call-overload, index]  # as the bridge writes it

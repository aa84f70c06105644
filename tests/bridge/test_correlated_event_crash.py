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
from tests.bridge.dispatch_harness import ORDERS, DispatchHarness, new_key, note, open_dispatch_harness, placed
from tests.bridge.environment import Outcomes
from tests.support.bus import TOPOLOGY, Bus
from tests.support.waiting import PATIENCE_SECONDS, eventually
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
async def harness(client: Client, database: Database) -> AsyncIterator[DispatchHarness]:
    """A worker for orders."""
    async with open_dispatch_harness(client, database) as opened:
        yield opened


def _bridge(harness: DispatchHarness, amqp_url: str, outcomes: Outcomes) -> AbstractAsyncContextManager[Bridge]:
    settings = BridgeSettings(TOPOLOGY, task_queue=harness.queue, patience=timedelta(milliseconds=300))
    around = Surroundings(amqp_url, harness.client, harness.database, lambda: ORDERS)
    return running_bridge(around, settings, Watchers(outcomes.add))


async def _waits(harness: DispatchHarness, entry: str) -> None:
    async def there() -> bool:
        return bool(await correlated_runs(harness.client, "order", (entry,)))

    await eventually(there)


@pytest.mark.parametrize("kind", ["paid.kept", "paid.strict"])
async def test_correlated_event_is_known_after_a_crash_before_its_mark(
    harness: DispatchHarness, bus: Bus, amqp_url: str, kind: str
) -> None:
    """What was noted before the signal is what counts, whatever its trigger says of missing runs."""
    key, outcomes = new_key(), Outcomes()
    told = note(kind, "paid", invoice=f"I-{key}")
    async with asyncio.timeout(PATIENCE_SECONDS), _bridge(harness, amqp_url, outcomes):
        await bus.publish(placed(key))
        await outcomes.until(1)
        await _waits(harness, f"invoice=I-{key}")
        for statement in (_FULL, _TRIGGER):
            await harness.database.fetch(statement)
        await bus.publish(told)
        assert await harness.signals_received(key) == ["paid"]
    assert len(outcomes) == 1
    await harness.database.fetch("drop trigger full_disk on saga.seen_events")
    async with _bridge(harness, amqp_url, outcomes):
        await outcomes.until(2)
        await harness.database.fetch("update saga.held_events set next_try_at = now()")
        await _dispatched(harness, told)
        await bus.all_taken()
    assert await harness.runs(key) == 1
    assert await dead_letters.page(harness.database) == []


async def _dispatched(harness: DispatchHarness, told: Event) -> None:
    """Wait until nothing is held, and hold that the log has the event as dispatched."""

    async def none_held() -> bool:
        return await harness.keeper.count() == 0

    await eventually(none_held)
    (logged,) = await find(harness.database, told.id)
    assert logged.outcome == "dispatched"
    assert [effect["kind"] for effect in (logged.effects or {}).values()] == ["signalled"]  # type: ignore[call-overload, index]  # as the bridge writes it

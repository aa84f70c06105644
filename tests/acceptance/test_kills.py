"""SIGKILL of the worker, of the bridge, and of the Temporal server in the middle of fifty runs.

Half of the runs fail and are rolled back. Whatever is killed, all end, and PostgreSQL, the bus and Temporal hold every
effect exactly once. A kill comes when so many effects are in the database, not after some time.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowFailureError

from activities.registry import catalog
from cli.stack.events import Service
from store.database import open_database
from tests.acceptance.fragile import fragile_temporal
from tests.acceptance.ledger import DEFINITION, RUNS, Ledger, Order, new_ledger
from tests.acceptance.processes import Place, running
from tests.acceptance.tap import Tap, open_tap, relayed
from tests.bridge.waiting import eventually
from workflows.language.compiler import compile_sources
from workflows.language.triggers import Definition
from workflows.temporal.starting import StartRequest, start_run

DEFINITIONS = Path(__file__).with_name("definitions")


@dataclass(frozen=True)
class Field:
    """Where one test is fought out: its services, its database, virtual host and task queue, its books."""

    place: Place
    client: Client
    tap: Tap
    ledger: Ledger

    async def start_all(self) -> None:
        """Start a run for each order."""
        definition = fragile_order()
        queue = self.place.task_queue
        requests = (StartRequest(definition, order.as_input(), key=order.id) for order in self.ledger.orders)
        await asyncio.gather(*(start_run(self.client, queue, request) for request in requests))

    async def publish(self, orders: Sequence[Order]) -> None:
        """Publish the event of each order."""
        await asyncio.gather(*(self.tap.publish("fragile.placed", order.id, order.as_input()) for order in orders))

    async def all_end_as_they_must(self) -> None:
        """Wait for the end of all runs, and compare the books with what there is."""
        ends = await asyncio.gather(*(self._end(order) for order in self.ledger.orders))
        expected = [order.is_good for order in self.ledger.orders]
        assert ends == expected, f"{self.ledger}\n{dict(Counter(ends))}"
        await relayed(self.ledger.database)
        await self.ledger.check(await self.tap.heard())
        await eventually(self._each_ran_once)

    async def all_exist(self) -> None:
        """Wait until Temporal knows a run of each order."""

        async def so_many() -> bool:
            return await self._count() >= RUNS

        await eventually(so_many, 90)

    async def repetitions(self) -> int:
        """Count, over all runs, what was begun again: attempts of steps after the first, and lost workflow tasks."""
        handles = (self.client.get_workflow_handle(f"{DEFINITION}/{order.id}") for order in self.ledger.orders)
        histories = await asyncio.gather(*(handle.fetch_history() for handle in handles))
        return sum(_is_repetition(event) for history in histories for event in history.events)

    async def _end(self, order: Order) -> bool:
        async with asyncio.timeout(120):
            try:
                await self.client.get_workflow_handle(f"{DEFINITION}/{order.id}").result()
            except WorkflowFailureError:
                return False
            return True

    async def _each_ran_once(self) -> bool:
        count = await self._count()
        assert count <= RUNS, f"{self.ledger}\n{count} runs"
        return count == RUNS and await self._count("SagaStatus in ('completed', 'compensated')") == RUNS

    async def _count(self, query: str = "") -> int:
        conditions = [f"TaskQueue = '{self.place.task_queue}'", *([query] if query else [])]
        return (await self.client.count_workflows(" and ".join(conditions))).count


def fragile_order() -> Definition:
    """Compile the definition of the kill tests."""
    sources = {str(file): file.read_text(encoding="utf-8") for file in DEFINITIONS.rglob("*.yaml")}
    library = compile_sources(sources, catalog()).library
    assert library is not None
    [definition] = library.all()
    return definition


def _is_repetition(event: HistoryEvent) -> bool:
    lost = event.HasField("workflow_task_timed_out_event_attributes")
    return lost or event.activity_task_started_event_attributes.attempt > 1


@asynccontextmanager
async def opened(place: Place) -> AsyncIterator[Field]:
    """Open what a test looks at."""
    client = await Client.connect(place.temporal)
    async with AsyncExitStack() as parts:
        tap = await parts.enter_async_context(open_tap(place.amqp_url, "order.fulfilled"))
        database = await parts.enter_async_context(open_database(place.database_url))
        yield Field(place, client, tap, new_ledger(database, place.task_queue))


@pytest.fixture
def place(tmp_path: Path, temporal_service: Service, postgres_url: str, amqp_url: str) -> Place:
    """The shared servers with a database, a virtual host and a task queue of the test's own."""
    queue = f"kills-{uuid.uuid4().hex[:8]}"
    return Place(tmp_path, temporal_service.url, postgres_url, amqp_url, queue, DEFINITIONS)


async def test_worker_is_killed_in_the_middle_of_fifty_runs(place: Place) -> None:
    """Twice; what was in flight is tried again by the next worker, under the same keys."""
    async with opened(place) as field, running(place, "worker") as worker:
        await field.start_all()
        for count in field.ledger.kill_at_effects:
            await field.ledger.effects_reach(count)
            await worker.kill()
            await worker.start()
        await field.all_end_as_they_must()
        assert await field.repetitions() > 0, f"{field.ledger}\nthe kills interrupted nothing"


async def test_bridge_is_killed_in_the_middle_of_fifty_events(place: Place) -> None:
    """Some events come before, some while it is away, some twice: each starts one run, and none is left over."""
    place = replace(place, prefetch=1)
    async with opened(place) as field, running(place, "worker"), running(place, "bridge") as bridge:
        early, late = field.ledger.orders[:30], field.ledger.orders[30:]
        publishing = asyncio.create_task(field.publish(early))
        for count, orders in zip(field.ledger.kill_at_runs, ([*late, *early[::3]], []), strict=True):
            await field.ledger.runs_reach(count)
            await bridge.kill()
            field.ledger.notes.append(f"{await field.tap.waiting_in('saga.events')} events left in the queue")
            await publishing
            await field.publish(orders)
            await bridge.start()
        await field.all_exist()
        await field.all_end_as_they_must()
        assert [await field.tap.waiting_in(queue) for queue in ("saga.events", "saga.dead-letters")] == [0, 0]


async def test_temporal_is_killed_in_the_middle_of_fifty_runs(tmp_path: Path, postgres_url: str, amqp_url: str) -> None:
    """Twice; it comes back with its file, and the worker, which lived on, goes on with every run."""
    async with fragile_temporal() as server:
        place = Place(tmp_path, server.address, postgres_url, amqp_url, "kills", DEFINITIONS)
        async with opened(place) as field, running(place, "worker"):
            await field.start_all()
            for count in field.ledger.kill_at_effects:
                await field.ledger.effects_reach(count)
                await server.kill_and_restart()
            await field.all_end_as_they_must()


async def test_books_notice_what_is_lost_and_what_is_there_twice(place: Place) -> None:
    """The check of the tests above is not blind: an empty database is 50 complaints, and one about events and sums."""
    async with opened(place) as field:
        with pytest.raises(AssertionError, match=f"SAGA_KILL_SEED={field.ledger.seed}") as caught:
            await field.ledger.check([])
    assert str(caught.value).count("instead of") == RUNS + 2


def test_orders_follow_from_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The seed of a message brings the same orders and the same kills back."""
    database: Any = None
    first = new_ledger(database, "o")
    monkeypatch.setenv("SAGA_KILL_SEED", str(first.seed))
    assert new_ledger(database, "o") == first

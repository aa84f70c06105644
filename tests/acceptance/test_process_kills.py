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
from tests.acceptance.event_listener import EventListener, open_listener, wait_for_empty_outbox
from tests.acceptance.killable_temporal import killable_temporal
from tests.acceptance.ledger import DEFINITION, RUNS, Ledger, Order, new_ledger
from tests.acceptance.processes import ProcessSettings, running
from tests.support.waiting import PATIENCE_SECONDS, eventually
from workflows.language.compiler import compile_sources
from workflows.language.triggers import Definition
from workflows.temporal.starting import StartRequest, start_run

pytestmark = pytest.mark.fault

DEFINITIONS = Path(__file__).with_name("definitions")


@dataclass(frozen=True)
class KillEnvironment:
    """The environment of one kill test: its services, database, virtual host, task queue, and ledger."""

    settings: ProcessSettings
    client: Client
    listener: EventListener
    ledger: Ledger

    async def start_all(self) -> None:
        """Start a run for each order."""
        definition = fragile_order()
        queue = self.settings.task_queue
        requests = (StartRequest(definition, order.as_input(), key=order.id) for order in self.ledger.orders)
        await asyncio.gather(*(start_run(self.client, queue, request) for request in requests))

    async def publish(self, orders: Sequence[Order]) -> None:
        """Publish the event of each order."""
        await asyncio.gather(*(self.listener.publish("fragile.placed", order.id, order.as_input()) for order in orders))

    async def all_end_as_they_must(self) -> None:
        """Wait for the end of all runs, and compare the ledger with what there is."""
        ends = await asyncio.gather(*(self._end(order) for order in self.ledger.orders))
        expected = [order.is_good for order in self.ledger.orders]
        assert ends == expected, f"{self.ledger}\n{dict(Counter(ends))}"
        await wait_for_empty_outbox(self.ledger.database)
        await self.ledger.check(await self.listener.received())
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
        async with asyncio.timeout(PATIENCE_SECONDS):
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
        conditions = [f"TaskQueue = '{self.settings.task_queue}'", *([query] if query else [])]
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
async def open_environment(settings: ProcessSettings) -> AsyncIterator[KillEnvironment]:
    """Open what a test looks at."""
    client = await Client.connect(settings.temporal)
    async with AsyncExitStack() as parts:
        listener = await parts.enter_async_context(open_listener(settings.amqp_url, "order.fulfilled"))
        database = await parts.enter_async_context(open_database(settings.database_url))
        yield KillEnvironment(settings, client, listener, new_ledger(database, settings.task_queue))


@pytest.fixture
def settings(tmp_path: Path, temporal_service: Service, postgres_url: str, amqp_url: str) -> ProcessSettings:
    """The shared servers with a database, a virtual host and a task queue of the test's own."""
    queue = f"kills-{uuid.uuid4().hex[:8]}"
    return ProcessSettings(tmp_path, temporal_service.url, postgres_url, amqp_url, queue, DEFINITIONS)


async def test_worker_is_killed_in_the_middle_of_fifty_runs(settings: ProcessSettings) -> None:
    """Twice; what was in flight is tried again by the next worker, under the same keys."""
    async with open_environment(settings) as env, running(settings, "worker") as worker:
        await env.start_all()
        for count in env.ledger.kill_at_effects:
            await env.ledger.effects_reach(count)
            await worker.kill()
            await worker.start()
        await env.all_end_as_they_must()
        assert await env.repetitions() > 0, f"{env.ledger}\nthe kills interrupted nothing"


async def test_bridge_is_killed_in_the_middle_of_fifty_events(settings: ProcessSettings) -> None:
    """Some events come before, some while it is away, some twice: each starts one run, and none is left over."""
    settings = replace(settings, prefetch=1)
    async with open_environment(settings) as env, running(settings, "worker"), running(settings, "bridge") as bridge:
        early, late = env.ledger.orders[:30], env.ledger.orders[30:]
        publishing = asyncio.create_task(env.publish(early))
        for count, orders in zip(env.ledger.kill_at_runs, ([*late, *early[::3]], []), strict=True):
            await env.ledger.runs_reach(count)
            await bridge.kill()
            env.ledger.notes.append(f"{await env.listener.ready_messages('saga.events')} events left in the queue")
            await publishing
            await env.publish(orders)
            await bridge.start()
        await env.all_exist()
        await env.all_end_as_they_must()
        assert [await env.listener.ready_messages(queue) for queue in ("saga.events", "saga.dead-letters")] == [0, 0]


async def test_temporal_is_killed_in_the_middle_of_fifty_runs(tmp_path: Path, postgres_url: str, amqp_url: str) -> None:
    """Twice; it comes back with its file, and the worker, which lived on, goes on with every run."""
    async with killable_temporal() as server:
        settings = ProcessSettings(tmp_path, server.address, postgres_url, amqp_url, "kills", DEFINITIONS)
        async with open_environment(settings) as env, running(settings, "worker"):
            await env.start_all()
            for count in env.ledger.kill_at_effects:
                await env.ledger.effects_reach(count)
                await server.kill_and_restart()
            await env.all_end_as_they_must()


async def test_ledger_notices_what_is_lost_and_what_is_there_twice(settings: ProcessSettings) -> None:
    """The check of the tests above is not blind: an empty database is 50 complaints, and one about events and sums."""
    async with open_environment(settings) as env:
        with pytest.raises(AssertionError, match=f"SAGA_KILL_SEED={env.ledger.seed}") as caught:
            await env.ledger.check([])
    assert str(caught.value).count("instead of") == RUNS + 2


def test_orders_follow_from_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The seed of a message brings the same orders and the same kills back."""
    database: Any = None
    first = new_ledger(database, "o")
    monkeypatch.setenv("SAGA_KILL_SEED", str(first.seed))
    assert new_ledger(database, "o") == first

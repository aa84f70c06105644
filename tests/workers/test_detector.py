"""Stuck runs on the real servers: each cause is made, and named."""

from __future__ import annotations

import uuid
from datetime import timedelta

from temporalio.client import Client

from store.database import Database
from tests.store.run_rows import add_run
from tests.support.waiting import eventually
from tests.workflows.temporal.hosting import hosting
from tests.workflows.temporal.plans import act, approval, chain, definition, library, plan, receive
from workers.detector import find_stuck, limits_of
from workers.looking import look_at_queue, look_at_run, open_runs
from workers.stuck import Stuck
from workflows.language.library import Library
from workflows.language.plan import Execution, Retry
from workflows.language.triggers import Definition
from workflows.language.watching import Sla
from workflows.temporal.starting import StartRequest, start_run

ENDLESS = Execution(attempt_timeout=10, retry=Retry(attempts=0, backoff=0.05, factor=1.0))


async def found_of(client: Client, workflow_id: str, database: Database | None = None) -> list[Stuck]:
    """Return what is found of one run."""
    return [each for each in await find_stuck(client, database, []) if each.workflow_id == workflow_id]


async def test_action_that_is_tried_for_ever_is_found(client: Client) -> None:
    """With its step, its attempt and what it failed with."""
    entry = plan("endless", act("charge", "foreign", execution=ENDLESS))
    async with hosting(client, library(entry)) as host:
        started = await start_run(client, host.queue, StartRequest(definition(entry), {}))

        async def is_found() -> bool:
            return [each.cause for each in await found_of(client, started.workflow_id)] == ["activity-retries"]

        await eventually(is_found)
        [found] = await found_of(client, started.workflow_id)
        assert (found.definition, found.version, found.step) == ("endless", "1.0.0", "charge")
        assert "not one of ours" in found.what
        assert "without limit" in found.what
        await client.get_workflow_handle(started.workflow_id).terminate()


async def test_version_that_no_worker_has_is_found(client: Client) -> None:
    """Its workflow task fails, and the reason names what is pinned and what is loaded."""
    old = plan("moved", *chain(receive("wait", "go"), act("a")), signals=("go",))
    new = plan("moved", *chain(receive("wait", "go"), act("b")), signals=("go",), version="2.0.0")
    queue = f"stuck-{uuid.uuid4().hex[:8]}"
    async with hosting(client, library(old), queue=queue):
        started = await start_run(client, queue, StartRequest(definition(old), {}))
        handle = client.get_workflow_handle(started.workflow_id)
        await handle.query("state")
    async with hosting(client, library(new), queue=queue):
        await handle.signal("go")

        async def is_found() -> bool:
            return bool(await found_of(client, started.workflow_id))

        await eventually(is_found)
        [found] = await found_of(client, started.workflow_id)
        assert found.cause == "workflow-task-fails"
        assert "moved@1.0.0" in found.what
        assert "Loaded: moved@2.0.0" in found.what
        assert found.cure.startswith("Give the file of that version back")
    await handle.terminate()


async def test_queue_without_a_worker_is_found_once_for_all_its_runs(client: Client) -> None:
    """Nobody has ever asked for its work."""
    entry, queue = plan("alone", act("a")), f"stuck-{uuid.uuid4().hex[:8]}"
    starts = [await start_run(client, queue, StartRequest(definition(entry), {})) for _ in range(2)]

    async def is_found() -> bool:
        return any(queue in each.what and "2 open runs" in each.what for each in await find_stuck(client, None, [], 10))

    await eventually(is_found)
    look = await look_at_queue(client, queue)
    assert (look.workflows_at, look.activities_at) == (None, None)
    for started in starts:
        await client.get_workflow_handle(started.workflow_id).terminate()


async def test_run_that_waits_for_people_is_not_stuck(client: Client) -> None:
    """Nor is one that ends while somebody looks."""
    entry = plan("asking", approval("ask"))
    async with hosting(client, library(entry)) as host:
        started = await start_run(client, host.queue, StartRequest(definition(entry), {}))
        handle = client.get_workflow_handle(started.workflow_id)
        await handle.query("state")

        async def is_listed() -> bool:
            return started.workflow_id in {run for run, _ in await open_runs(client, 500)}

        await eventually(is_listed)
        assert await found_of(client, started.workflow_id) == []
        look = await look_at_queue(client, host.queue)
        assert look.workflows_at is not None
        await handle.terminate()
    assert await look_at_run(client, started.workflow_id, "") is None
    assert await look_at_run(client, "nobody", "") is None


async def test_run_that_the_projection_knows_as_overdue_is_found(client: Client, database: Database) -> None:
    """With the limit of its definition; only so many runs are looked at."""
    known = Library.of([Definition(plan("order", act("a")), sla=Sla(3600.0))])
    await add_run(database, "late", started=timedelta(hours=2), changed=timedelta(hours=1))
    found = await find_stuck(client, database, limits_of(known), most=1)
    assert [each.workflow_id for each in found if each.cause == "overdue"] == ["order/late"]

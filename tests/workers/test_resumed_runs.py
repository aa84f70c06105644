"""Runs that were resumed, or moved to another version, are in the projection like any other, without a gap."""

from __future__ import annotations

from temporalio.client import Client

from cli.past import state_at
from store.database import Database
from store.run_states import StoredRun, find_run
from tests.workers.projection import empty, recorded, rows, timeless, wanted_of
from tests.workflows.temporal.hosting import Host
from tests.workflows.temporal.plans import act, approval, chain, library, plan
from tests.workflows.temporal.watching import Run, failure_of, waiting_approval
from workers.rebuilding import rebuild
from workflows.language.library import Library
from workflows.language.plan import SagaPolicy
from workflows.temporal.classes import workflow_classes
from workflows.temporal.resuming import ResumeRequest, carry_out, plan_resumption

KEEP = SagaPolicy(on=frozenset())


async def stored(database: Database, run_id: str) -> StoredRun:
    """Return the run, of which nothing is missing."""
    found = await find_run(database, run_id)
    assert found is not None
    assert found.written == found.sequence
    return found


async def rebuilt_as_it_was(client: Client, database: Database, loaded: Library, workflow_id: str) -> None:
    """Make the rows again, and compare."""
    live = timeless(await rows(database))
    await empty(database)
    found = await rebuild(client, database, workflow_classes(lambda: loaded), await wanted_of(client, workflow_id))
    assert not found.refused
    assert timeless(await rows(database)) == live


async def resumed(client: Client, host: Host, handle: Run) -> Run:
    """Resume a run, and return the new one."""
    ready = await plan_resumption(client, host.library, handle.id, ResumeRequest("redrive"))
    return client.get_workflow_handle(handle.id, run_id=await carry_out(client, ready))


async def test_resumed_run_is_a_run_of_its_own(client: Client, database: Database) -> None:
    """Its events count from 1; its first state is whole, so all its states can be shown."""
    loaded = library(plan("flaky", *chain(act("first"), act("second", action="flaky"), act("third")), saga=KEEP))
    async with recorded(client, database, loaded) as recorded_host:
        recorded_host.host.ledger.refusals = 1
        handle = await recorded_host.host.start("flaky", {})
        await failure_of(handle)
        again = await resumed(client, recorded_host.host, handle)
        await again.result()
    assert again.run_id is not None
    old = await stored(database, str(handle.first_execution_run_id))
    new = await stored(database, again.run_id)
    assert (old.status, new.status) == ("failed", "completed")
    assert [(await state_at(database, loaded, new, at))["sequence"] for at in range(1, new.sequence + 1)] == [
        *range(1, new.sequence + 1)
    ]
    await rebuilt_as_it_was(client, database, loaded, handle.id)


async def test_run_that_moved_shows_its_states(client: Client, database: Database) -> None:
    """From the move on with the plan that it moved to."""
    steps = chain(approval("ask"), act("send"))
    loaded = library(plan("moved", *steps), plan("moved", *steps, act("tidy"), version="1.1.0"))
    new = loaded.resolve("moved@1.1.0")
    assert new is not None
    async with recorded(client, database, loaded) as recorded_host:
        handle = await recorded_host.host.start("moved@1.0.0", {})
        await waiting_approval(handle)
        await handle.execute_update("migrate", {"to": f"1.1.0+{new.plan.digest[:8]}"})
        await waiting_approval(client.get_workflow_handle(handle.id))
        await client.get_workflow_handle(handle.id).signal("approve", {"step": "ask", "approver": "a"})
        await client.get_workflow_handle(handle.id).result()
    run = await stored(database, str(handle.first_execution_run_id))
    assert (run.version, run.status) == ("1.1.0", "completed")
    assert (await state_at(database, loaded, run, run.sequence - 1))["version"] == "1.1.0"
    await rebuilt_as_it_was(client, database, loaded, handle.id)

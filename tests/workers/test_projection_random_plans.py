"""Random plans on the real server, with a worker that is gone in between: the projection mends, and equals itself."""

from __future__ import annotations

import asyncio
import random
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from temporalio.client import Client
from temporalio.service import RPCError

from cli.stack.events import Service
from store.database import Database, open_database
from tests.support.services.postgres import fresh_database
from tests.support.waiting import PATIENCE_SECONDS, eventually
from tests.workers.generated_definitions import CHILD, READY, generated_library, quick, sometimes_failing
from tests.workers.projection import (
    AT_ONCE,
    RecordedHost,
    Rows,
    differences,
    empty,
    recorded,
    rows,
    timeless,
    wanted_of,
)
from tests.workflows.engine.plans import plans
from tests.workflows.temporal.plans import library
from tests.workflows.temporal.watching import Run
from workers.mending import Mender
from workers.rebuilding import rebuild
from workers.recording import Recording
from workers.snapshots import Snapshots
from workflows.language.library import Library
from workflows.language.plan import Plan
from workflows.temporal.classes import workflow_classes
from workflows.temporal.course import Move, Sink

pytestmark = pytest.mark.fault

ROOT = Path(__file__).parents[2]
WORKERS, RUNS_PER_WORKER = 3, 4


def losing_writes(after: int) -> Callable[[Recording], Sink]:
    """A sink that writes so many changes; the process is killed before it has written the rest."""

    def of(record: Recording) -> Sink:
        def take(move: Move) -> None:
            if record.snapshots.taken < after:
                record.snapshots.take(move)

        return take

    return of


async def drive(client: Client, run: Run, until: Callable[[], bool]) -> None:
    """Give the run what it waits for, until it has ended or `until` holds."""
    end = asyncio.ensure_future(asyncio.gather(run.result(), return_exceptions=True))
    while not end.done() and not until():
        await answer_waits(client, run.id)
        await asyncio.wait({end}, timeout=0.02)
    end.cancel()


async def answer_waits(client: Client, workflow_id: str) -> None:
    """Give a run what it waits for now, and its slices too."""
    run: Run = client.get_workflow_handle(workflow_id)
    state = await run.query("state")
    with suppress(RPCError):  # it may have ended meanwhile
        if state["waits"]:
            await run.signal("paid", {"n": 1})
        for approval in await run.query("approvals"):
            await run.signal("approve", {"step": approval["step"], "approver": "alice"})
    for operation in state["operations"]:
        if operation["kind"] == "child":
            with suppress(RPCError):  # it may not have begun
                await answer_waits(client, f"{workflow_id}/{operation['id']}")


async def complete(database: Database) -> bool:
    """Tell whether nothing is missing."""
    found = await database.fetch("select count(*) as n from saga.runs where written <> sequence or ended_at is null")
    return bool(found[0]["n"] == 0)


async def run_with_lost_worker(client: Client, database: Database, loaded: Library, after: int, seed: int) -> Run:
    """A run that loses its worker once, with what that had not written."""
    queue = uuid.uuid4().hex
    actions = sometimes_failing(seed)

    async with recorded(
        client, database, loaded, queue=queue, activities=actions, sink=losing_writes(after)
    ) as recorded_host:
        run: Run = await recorded_host.host.start("grown", {})
        await drive(client, run, lambda: recorded_host.record.snapshots.taken >= after)
    second: RecordedHost
    async with recorded(client, database, loaded, queue=queue, activities=actions) as second:
        await drive(client, run, lambda: False)
        assert second.record.snapshots.dropped == 0
    return run


async def check(client: Client, database: Database, generated: Plan, after: int, seed: int) -> None:
    """Let one run live, mend, and compare with what is made from nothing."""
    loaded = library(generated, CHILD)
    run = await run_with_lost_worker(client, database, loaded, after, seed)
    classes = workflow_classes(lambda: loaded)
    mender = Mender(client, database, lambda: classes, Snapshots(), AT_ONCE)

    async def mended() -> bool:
        await mender.mend()
        return await complete(database)

    await eventually(mended)
    live = timeless(await rows(database))
    assert live["runs"]
    await empty(database)
    found = await rebuild(client, database, classes, await wanted_of(client, run.id))
    assert not found.refused
    again = timeless(await rows(database))
    # A child whose worker was killed before it wrote anything is found by the silence of that worker alone.
    assert differences(live, of_runs(again, live)) == []


@settings(
    max_examples=5,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(generated=plans(), after=st.integers(1, 8), seed=st.integers(0, 2**32))
async def test_projection_of_random_plans_mends_and_equals_itself(
    client: Client, postgres_service: Service, generated: Plan, after: int, seed: int
) -> None:
    """Whatever the plan, wherever the worker was killed: rows that were mended are those that are made from nothing."""
    async with open_database(await fresh_database(postgres_service)) as database:
        await check(client, database, quick(generated), after, seed)


@asynccontextmanager
async def worker_process(*arguments: str) -> AsyncIterator[None]:
    """Have a worker in a process of its own inside the block; SIGKILL ends it."""
    command = (sys.executable, "-m", "tests.workers.generated_definitions", *arguments)
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert (await process.stdout.readline()).decode().strip() == READY
        yield
    finally:
        process.kill()
        # A wait alone never ends where more was printed than anybody has read.
        await process.communicate()


async def keep_signalling(runs: list[Run]) -> None:
    """Send each run whatever it may be waiting for, without asking it."""
    while True:
        await asyncio.gather(*(run.signal("paid", {"n": 1}) for run in runs), return_exceptions=True)
        await asyncio.sleep(0.2)


async def test_rows_are_whole_though_workers_are_killed(client: Client, postgres_service: Service) -> None:
    """Workers die one after the other while random definitions run; what is left equals what is made from nothing."""
    number = random.getrandbits(32)  # a load, not secrets
    loaded, queue, runs = generated_library(number, WORKERS * RUNS_PER_WORKER), uuid.uuid4().hex, list[Run]()
    url = await fresh_database(postgres_service)
    where = ("--temporal", client.service_client.config.target_host, "--database", url, "--queue", queue)
    names = iter([definition.id for definition in loaded.all() if definition.id != CHILD.id])
    for _ in range(WORKERS):
        async with worker_process(*where, "--seed", str(number), "--count", str(WORKERS * RUNS_PER_WORKER)):
            for name in [next(names) for _ in range(RUNS_PER_WORKER)]:
                runs.append(await client.start_workflow(name, {}, id=f"{name}/{queue}", task_queue=queue))
            signalling = asyncio.ensure_future(keep_signalling(runs))
            await asyncio.sleep(random.uniform(0.1, 1.5))  # noqa: S311  # the same
        signalling.cancel()
    async with open_database(url) as database:
        async with recorded(client, database, loaded, queue=queue, activities=sometimes_failing(number), pace=AT_ONCE):
            async with asyncio.timeout(180):
                await asyncio.gather(*(drive(client, run, lambda: False) for run in runs))
            await eventually(lambda: settled(database))
        live, wanted = timeless(await rows(database)), await wanted_of(client, *(run.id for run in runs))
        await empty(database)
        found = await rebuild(client, database, workflow_classes(lambda: loaded), wanted)
        assert not found.refused, number
        again = timeless(await rows(database))
        assert {run["workflow_id"] for run in again["runs"]} == set(wanted), number
        assert differences(of_runs(live, again), again) == [], number


def of_runs(found: Rows, those: Rows) -> Rows:
    """Return what there is of the runs of other rows: the mender also finds what other tests ran a minute ago."""
    known = {row["id"] for row in those["runs"]}
    return {table: [row for row in part if row.get("run_id", row.get("id")) in known] for table, part in found.items()}


async def settled(database: Database) -> bool:
    """Tell whether nothing is missing, and no dead worker is still registered."""
    writers = await database.fetch("select count(*) as n from saga.writers")
    return bool(writers[0]["n"] == 1) and await complete(database)

"""Random plans on the real server, with a worker that is gone in between: the projection mends, and equals itself."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from cli.stack.events import Service
from store.database import Database, open_database
from tests.bridge.waiting import eventually
from tests.services.postgres import fresh_database
from tests.workers.projected import AT_ONCE, Scene, empty, recorded, rows, timeless, wanted_of
from tests.workflows.engine.plans import plans
from tests.workflows.temporal.hosting import BROKEN
from tests.workflows.temporal.plans import LOCAL, act, library, plan, template
from tests.workflows.temporal.watching import Run
from workers.mending import Mender
from workers.rebuilding import rebuild
from workers.recording import Recording
from workers.snapshots import Snapshots
from workflows.language.canonical import sealed
from workflows.language.library import Library
from workflows.language.plan import Pause, Plan
from workflows.temporal.classes import workflow_classes
from workflows.temporal.course import Move, Sink

CHILD = plan("other", act("a", action="do", execution=LOCAL))
SOON = template("10ms")


def quick(grown: Plan) -> Plan:
    """The plan without long rests."""
    nodes = {
        key: replace(node, duration=SOON) if isinstance(node, Pause) else node for key, node in grown.nodes.items()
    }
    return sealed(replace(grown, nodes=nodes))


def moody(seed: int) -> list[Callable[..., Any]]:
    """Actions of which some always fail, by the step's path."""

    def gives(context: dict[str, Any]) -> Any:
        if hashlib.sha256(f"{seed}{context['step']}".encode()).digest()[0] % 5 == 0:
            raise ApplicationError(BROKEN.title, BROKEN.to_json(), type=BROKEN.type, non_retryable=True)
        return {"ok": True}

    @activity.defn(name="do")
    async def do(args: Any, context: Any) -> Any:
        return gives(context)

    @activity.defn(name="undo")
    async def undo(args: Any, context: Any) -> Any:
        return gives(context)

    return [do, undo]


def forgetful(after: int) -> Callable[[Recording], Sink]:
    """A sink that writes so many changes; the process is killed before it has written the rest."""

    def of(record: Recording) -> Sink:
        def take(move: Move) -> None:
            if record.snapshots.taken < after:
                record.snapshots.take(move)

        return take

    return of


async def drive(run: Run, until: Callable[[], bool]) -> None:
    """Give the run what it waits for, until it has ended or `until` holds."""
    end = asyncio.ensure_future(asyncio.gather(run.result(), return_exceptions=True))
    while not end.done() and not until():
        state = await run.query("state")
        if state["waits"]:
            await run.signal("paid", {"n": 1})
        for approval in await run.query("approvals"):
            await run.signal("approve", {"step": approval["step"], "approver": "alice"})
        await asyncio.wait({end}, timeout=0.02)
    end.cancel()


async def complete(database: Database) -> bool:
    """Tell whether nothing is missing."""
    found = await database.fetch("select count(*) as n from saga.runs where written <> sequence or ended_at is null")
    return bool(found[0]["n"] == 0)


async def lived(client: Client, database: Database, loaded: Library, after: int, seed: int) -> Run:
    """A run that loses its worker once, with what that had not written."""
    queue = uuid.uuid4().hex
    actions = moody(seed)

    async with recorded(client, database, loaded, queue=queue, activities=actions, sink=forgetful(after)) as scene:
        run: Run = await scene.host.start("grown", {})
        await drive(run, lambda: scene.record.snapshots.taken >= after)
    second: Scene
    async with recorded(client, database, loaded, queue=queue, activities=actions) as second:
        await drive(run, lambda: False)
        assert second.record.snapshots.dropped == 0
    return run


async def check(client: Client, database: Database, grown: Plan, after: int, seed: int) -> None:
    """Let one run live, mend, and compare with what is made from nothing."""
    loaded = library(grown, CHILD)
    run = await lived(client, database, loaded, after, seed)
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
    known = {row["id"] for row in live["runs"]}
    # A child whose worker was killed before it wrote anything is found by the silence of that worker alone.
    for table, entries in again.items():
        assert [row for row in entries if row.get("run_id", row.get("id")) in known] == live[table], table


@settings(
    max_examples=5,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(grown=plans(), after=st.integers(1, 8), seed=st.integers(0, 2**32))
async def test_projection_of_random_plans_mends_and_equals_itself(
    client: Client, postgres_service: Service, grown: Plan, after: int, seed: int
) -> None:
    """Whatever the plan, wherever the worker was killed: rows that were mended are those that are made from nothing."""
    async with open_database(await fresh_database(postgres_service)) as database:
        await check(client, database, quick(grown), after, seed)

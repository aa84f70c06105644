"""PostgreSQL goes away under load: runs go on, and what was not written is made again by itself."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client

from cli.stack import postgres
from cli.stack.folder import StateFolder
from cli.stack.ports import choose_port
from store.database import open_database
from tests.chaos.servers import Server
from tests.support.waiting import eventually
from tests.workers.projection import AT_ONCE, empty, recorded, rows, wanted_of
from tests.workflows.temporal.plans import act, chain, library, plan, undo
from workers.rebuilding import rebuild
from workflows.temporal.classes import workflow_classes

pytestmark = pytest.mark.fault

LOADED = library(plan("three", *chain(act("a", undo=undo()), act("b"), act("c"))))
ROOM = 10


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A PostgreSQL of the test's own that can be killed."""
    folder, port = StateFolder.at(tmp_path / "state"), choose_port()
    made = Server(lambda: postgres.serving(folder, port), folder.pid_file("postgres"), signal.SIGQUIT)
    try:
        yield made
    finally:
        await made.stop()
        postgres.forget(folder.path)


async def test_outage_of_postgresql_stops_no_run(client: Client, server: Server) -> None:
    """Runs before, during and after it are complete in the end, and equal to what their histories give."""
    service = await server.start()
    async with open_database(service.url) as database:
        async with recorded(client, database, LOADED, pace=AT_ONCE, capacity=ROOM) as recorded_host:
            handles = [await recorded_host.host.start("three", {}) for _ in range(3)]
            await asyncio.gather(*(handle.result() for handle in handles))
            await server.kill()
            more = [await recorded_host.host.start("three", {}) for _ in range(10)]
            await asyncio.gather(*(handle.result() for handle in more))
            assert recorded_host.record.snapshots.dropped > 0
            await server.start()
            handles += [*more, await recorded_host.host.start("three", {})]

            async def is_whole() -> bool:
                found = (await rows(database))["runs"]
                ended = [row for row in found if row["ended_at"] and row["written"] == row["sequence"]]
                return len(ended) == len(handles)

            await eventually(is_whole)
        live = await rows(database)
        await empty(database)
        wanted = await wanted_of(client, *(handle.id for handle in handles))
        await rebuild(client, database, workflow_classes(lambda: LOADED), wanted)
        again = await rows(database)
        assert {name: again[name] for name in ("runs", "steps", "snapshots")} == {
            name: live[name] for name in ("runs", "steps", "snapshots")
        }

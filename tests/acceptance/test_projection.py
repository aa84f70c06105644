"""The projection of every shipped definition: made again from the histories it is what was written live."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client

from activities.resources import Resources
from cli.stack.events import Service
from store.database import Database, open_database
from tests.acceptance.scenarios import REAL_TIME, ScenarioHost, history_of
from tests.definitions.hosting import Host
from tests.definitions.shipped import shipped
from tests.support.services.postgres import fresh_database
from tests.workers.projection import NEVER, empty, rows, timeless, wanted_of
from workers.attempts import AttemptInterceptor
from workers.rebuilding import rebuild
from workers.recording import recording
from workers.worker import make_worker
from workflows.temporal.classes import workflow_classes


@pytest.fixture
async def projection(postgres_service: Service) -> AsyncIterator[Database]:
    """A database for the projection alone."""
    async with open_database(await fresh_database(postgres_service)) as opened:
        yield opened


@pytest.mark.parametrize("name", REAL_TIME)
async def test_rebuilt_projection_of_a_scenario_is_the_live_one(
    client: Client, resources: Resources, projection: Database, name: str
) -> None:
    """All five tables, row for row; some steps are local (see `timeless`)."""
    library, queue = shipped(), uuid.uuid4().hex
    async with recording(client, projection, lambda: library, pace=NEVER) as record:
        worker = make_worker(
            client,
            lambda: library,
            resources,
            queue,
            sink=record.snapshots.take,
            interceptors=[AttemptInterceptor(record.snapshots.put)],
        )
        async with worker:
            history = await history_of(REAL_TIME[name], ScenarioHost(Host(client, queue)))
    live = timeless(await rows(projection))
    workflow_ids = {row["workflow_id"] for row in live["runs"]}
    assert history.workflow_id in workflow_ids
    assert all(row["written"] == row["sequence"] and row["ended_at"] for row in live["runs"])
    await empty(projection)
    wanted = await wanted_of(client, *workflow_ids)
    found = await rebuild(client, projection, workflow_classes(lambda: library), wanted)
    assert not found.refused
    assert timeless(await rows(projection)) == live

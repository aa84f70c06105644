"""The rows that are made again from the histories are those that were written while the runs went on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from temporalio.client import Client

from store.database import Database
from tests.workers.projection import empty, recorded, rows, timeless, wanted_of
from tests.workflows.temporal.hosting import Host
from tests.workflows.temporal.test_replay import CONTINUE_AFTER, LOADED, SCENES, ended
from tests.workflows.temporal.watching import Run
from workers.rebuilding import rebuild
from workflows.temporal.classes import workflow_classes


@pytest.mark.parametrize("cached", [0, 1000])
@pytest.mark.parametrize(("name", "scene"), SCENES)
async def test_rebuilt_rows_are_the_live_ones(
    client: Client, database: Database, name: str, scene: Callable[[Host, str], Awaitable[Run]], cached: int
) -> None:
    """Row for row, whatever happened, with or without runs kept in memory."""
    async with recorded(client, database, LOADED, cached=cached, continue_after=CONTINUE_AFTER) as recorded_host:
        handle = await scene(recorded_host.host, name)
        await ended(handle)
    live = timeless(await rows(database))
    assert live["runs"]
    assert live["snapshots"]
    await empty(database)
    classes = workflow_classes(lambda: LOADED, continue_after=CONTINUE_AFTER)
    found = await rebuild(client, database, classes, await wanted_of(client, handle.id))
    assert not found.refused
    assert timeless(await rows(database)) == live
    await rebuild(client, database, classes, await wanted_of(client, handle.id))
    assert timeless(await rows(database)) == live

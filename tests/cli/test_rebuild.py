"""`saga rebuild` of many runs, against a Temporal server that has no others."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client

from activities.outbound import open_client
from activities.resources import Resources
from cli.exits import Exit
from cli.stack import temporal
from store.database import open_database
from tests.cli.conftest import greeting_library
from tests.support.command_line import Shell
from tests.support.services.rabbitmq import own_folder
from tests.support.waiting import eventually
from tests.workers.projection import empty, rows
from workers.worker import make_worker
from workflows.temporal.starting import StartRequest, start_run

RUNS = 5


@pytest.fixture
async def served(shell: Shell, postgres_url: str) -> AsyncIterator[Shell]:
    """A shell with a PostgreSQL that knows nothing, and a Temporal server of its own that knows some runs."""
    ports = temporal.choose_ports(ui=False, preferred=(), preferred_ui=())
    with own_folder() as folder:
        async with temporal.serving(folder, ports) as service:
            await _greet(await Client.connect(service.url))
            yield shell.with_environment(TEMPORAL_ADDRESS=service.url, SAGA_DATABASE_URL=postgres_url)


async def _greet(client: Client) -> None:
    library = greeting_library()
    [greeting] = library.current()
    async with open_client() as http, make_worker(client, lambda: library, Resources(http), "rebuilt"):
        for number in range(RUNS):
            await start_run(client, "rebuilt", StartRequest(greeting, {"name": "Ada"}, key=str(number)))
            await client.get_workflow_handle(f"greeting/{number}").result()

    async def all_listed() -> bool:
        query = "SagaDefinition = 'greeting' AND ExecutionStatus = 'Completed'"
        return (await client.count_workflows(query)).count == RUNS

    await eventually(all_listed)


async def test_all_runs_or_those_since_a_moment(served: Shell, postgres_url: str) -> None:
    """A database that was lost has all runs again; a moment chooses among them; a script reads the figures."""
    every = await served.saga("rebuild", "--all")
    assert (every.code, every.out, every.err) == (Exit.OK, f"{RUNS} runs rebuilt.\n", "")
    async with open_database(postgres_url) as database:
        live = await rows(database)
        assert {run["workflow_id"] for run in live["runs"]} == {f"greeting/{number}" for number in range(RUNS)}
        await empty(database)
        lately = await served.saga("rebuild", "--since", "1h", "--json")
        assert lately.json == {"runs": RUNS, "refused": {}, "missing": []}
        assert await rows(database) == live
    assert (await served.saga("rebuild", "--since", "0s")).out == "0 runs rebuilt.\n"


async def test_bar_shows_how_far_it_is(served: Shell) -> None:
    """On a terminal there is a bar, which is gone at the end; what is printed stays the same."""
    person, terminal = os.openpty()
    async with served.running("rebuild", "--all", stderr=terminal) as process:
        os.close(terminal)
        out, _ = await process.communicate()
    shown = await asyncio.to_thread(os.read, person, 100_000)
    os.close(person)
    assert "Rebuilding" in shown.decode()
    assert f"{RUNS}/{RUNS}" in shown.decode()
    assert out.decode() == f"{RUNS} runs rebuilt.\n"

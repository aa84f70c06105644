"""`saga stuck` against real servers."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from temporalio.client import Client

from cli.exits import Exit
from store.database import Database
from tests.store.run_rows import add_run
from tests.support.command_line import CLOSED, Shell
from tests.support.waiting import eventually

LIMITED = """
id: order
version: 1.0.0
sla: {max_duration: 1h}
steps:
  - {id: a, type: set, vars: {x: 1}}
"""


@pytest.fixture
def looking(connected: Shell, database: Database, postgres_url: str) -> Shell:
    """A shell with Temporal, a database, and a definition with an SLA."""
    del database  # it has made the schema
    connected.write("definitions/order.yaml", LIMITED)
    return connected.with_environment(SAGA_DATABASE_URL=postgres_url)


async def test_stuck_names_cause_and_cure(looking: Shell, database: Database) -> None:
    """For people as sentences, for scripts as JSON."""
    await add_run(database, "late", started=timedelta(hours=2))
    shown = await looking.saga("stuck")
    assert shown.code == Exit.OK, shown.err
    assert "order/late  1.0.0  overdue" in shown.out
    assert "its definition allows 1 h (`sla`)" in shown.out
    assert "-> See where it stands: saga show order/late" in shown.out
    documents = json.loads((await looking.saga("stuck", "--json")).out)
    [late] = [each for each in documents if each["cause"] == "overdue"]
    assert (late["workflow_id"], late["definition"], late["version"]) == ("order/late", "order", "1.0.0")
    assert (late["step"], late["cure"]) == (None, "See where it stands: saga show order/late")


async def test_stuck_finds_a_run_without_a_worker(looking: Shell, client: Client) -> None:
    """Once for its task queue."""
    started = await looking.saga("run", "greeting", "--detach", "--key", looking.environment["SAGA_TASK_QUEUE"])
    assert started.code == Exit.OK, started.err
    queue = looking.environment["SAGA_TASK_QUEUE"]

    async def is_found() -> bool:
        documents = json.loads((await looking.saga("stuck", "--json")).out)
        return any(each["cause"] == "no-worker" and repr(queue) in each["what"] for each in documents)

    await eventually(is_found)
    await client.get_workflow_handle(f"greeting/{queue}").terminate()


async def test_stuck_without_a_database_asks_temporal_alone(connected: Shell) -> None:
    """And says what nobody knows then."""
    environment = {name: value for name, value in connected.environment.items() if name != "SAGA_DATABASE_URL"}
    shown = await Shell(connected.folder, environment).saga("stuck")
    assert shown.code == Exit.OK, shown.err
    assert "Without SAGA_DATABASE_URL nobody knows how long runs may take" in shown.err


async def test_stuck_says_which_service_is_away(shell: Shell) -> None:
    """Where it was looked for, and the cure."""
    shown = await shell.saga("stuck")
    assert shown.code == Exit.UNREACHABLE
    assert CLOSED in shown.err

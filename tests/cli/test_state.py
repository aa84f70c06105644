"""`saga state` and `saga rebuild`, against real services and a real worker process."""

from __future__ import annotations

import signal
import uuid
from typing import Any

import pytest
from temporalio.client import Client

from cli.exits import Exit
from store.database import Database
from tests.cli.conftest import greeting_library
from tests.support.command_line import Shell, until_line
from tests.support.waiting import eventually
from tests.workers.projection import AT_ONCE, empty, recorded, rows, timeless
from tests.workflows.temporal.watching import waiting_approval


@pytest.fixture
def served(connected: Shell, postgres_url: str) -> Shell:
    """A shell with Temporal and PostgreSQL."""
    return connected.with_environment(SAGA_DATABASE_URL=postgres_url)


@pytest.fixture
def key() -> str:
    """Return a business key that no other test has."""
    return uuid.uuid4().hex[:8]


async def greeted(shell: Shell, client: Client, key: str) -> str:
    """Let a worker process carry out a run with an approval, and return its workflow id."""
    async with shell.running("worker") as worker:
        await until_line(worker, "Worker on task queue", on_stderr=True)
        run = ("run", "greeting", "--key", key, "--input", '{"name": "Ada", "asks": true}')
        assert (await shell.saga(*run, "--detach")).code == Exit.OK
        handle = client.get_workflow_handle(f"greeting/{key}")
        await waiting_approval(handle)
        await handle.signal("approve", {"step": "ask", "approver": "alice", "roles": ["doorman"]})
        await handle.result()
        worker.send_signal(signal.SIGTERM)
        await worker.wait()
    return handle.id


async def test_state_is_shown_at_each_event(served: Shell, client: Client, database: Database, key: str) -> None:
    """The latest state, an earlier one, what changed between two, and what a script reads."""
    run = await greeted(served, client, key)
    latest = await served.saga("state", run)
    assert latest.code == Exit.OK, latest.err
    assert f"{run}  completed" in latest.out
    assert "greet " in latest.out
    waiting = await served.saga("state", run, "--at", "2")
    assert "waiting" in waiting.out
    assert "May Ada be greeted?  (step ask, may decide: role:doorman)" in waiting.out
    document = (await served.saga("state", run, "--at", "2", "--json")).json
    assert (document["event"], document["state"]["sequence"], document["state"]["status"]) == (2, 2, "waiting")
    by_id = (await served.saga("state", document["run_id"], "--json")).json
    assert by_id["state"]["result"] == "Hello Ada"
    difference = await served.saga("state", run, "--diff", "2", "3")
    assert '~ /records/ask/status  "waiting" -> "completed"' in difference.out
    assert "- /waits/ask  {" in difference.out
    assert "+ /records/greet  {" in difference.out
    found = (await served.saga("state", run, "--diff", "2", "3", "--json")).json["changes"]
    assert {"pointer": "/records/ask/status", "before": "waiting", "after": "completed"} in found
    assert "Nothing differs" in (await served.saga("state", run, "--diff", "2", "2")).out


async def test_state_refuses_what_is_not_there(served: Shell, client: Client, database: Database, key: str) -> None:
    """An unknown run, a number that no event has, a definition that is not loaded: each says what would fit."""
    run = await greeted(served, client, key)
    unknown = await served.saga("state", "greeting/nobody")
    assert unknown.code == Exit.BAD_INPUT
    assert "saga rebuild greeting/nobody" in unknown.err
    beyond = await served.saga("state", run, "--at", "99")
    assert beyond.code == Exit.BAD_INPUT
    assert "has the events 1 to 4" in beyond.err
    other = served.write("other/other.yaml", "id: other\nversion: 1.0.0\nsteps: [{id: a, type: set, vars: {b: 1}}]\n")
    assert (await served.saga("state", run, "-d", str(other))).code == Exit.OK
    unloaded = await served.saga("state", run, "--at", "2", "-d", str(other))
    assert unloaded.code == Exit.BAD_INPUT
    assert "States that can be shown without: --at 4." in unloaded.err
    await database.fetch("delete from saga.snapshots where sequence = 2")
    gap = await served.saga("state", run, "--at", "3")
    assert "Event 2 is missing" in gap.err


async def test_rebuild_makes_the_same_rows_again(served: Shell, client: Client, database: Database, key: str) -> None:
    """By workflow id, by run id, since a moment."""
    run = await greeted(served, client, key)
    live = timeless(await rows(database))
    await empty(database)
    again = await served.saga("rebuild", run)
    assert (again.code, again.out) == (Exit.OK, "1 run rebuilt.\n"), again.err
    assert timeless(await rows(database)) == live
    await empty(database)

    async def by_run_id() -> bool:
        return (await served.saga("rebuild", live["runs"][0]["id"])).code == Exit.OK

    await eventually(by_run_id)
    assert timeless(await rows(database)) == live


async def test_rebuild_refuses_what_is_not_there(served: Shell, client: Client, database: Database, key: str) -> None:
    """An unknown run, no run at all, and a version that is not loaded."""
    unknown = await served.saga("rebuild", "greeting/nobody")
    assert unknown.code == Exit.BAD_INPUT
    assert "Temporal knows no run 'greeting/nobody'" in unknown.err
    nothing = await served.saga("rebuild")
    assert nothing.code == Exit.BAD_INPUT
    assert "one RUN, --since TIME, or --all" in nothing.err
    run = await greeted(served, client, key)
    other = served.write("other/other.yaml", "id: other\nversion: 1.0.0\nsteps: [{id: a, type: set, vars: {b: 1}}]\n")
    refused = await served.saga("rebuild", run, "-d", str(other))
    assert refused.code == Exit.RUN_FAILED
    assert "greeting@1.0.0" in refused.err
    assert len((await rows(database))["runs"]) == 1


async def test_killed_worker_leaves_no_gap(served: Shell, client: Client, database: Database, key: str) -> None:
    """SIGKILL while a run waits: the next worker carries on, and what the first had not written is made again."""
    async with served.running("worker") as worker:
        await until_line(worker, "Worker on task queue", on_stderr=True)
        run = ("run", "greeting", "--key", key, "--input", '{"name": "Ada", "asks": true}')
        await served.saga(*run, "--detach")
        handle: Any = client.get_workflow_handle(f"greeting/{key}")
        await waiting_approval(handle)
        worker.kill()
        await worker.wait()
    queue = served.environment["SAGA_TASK_QUEUE"]
    async with recorded(client, database, greeting_library(), queue=queue, pace=AT_ONCE):

        async def is_whole() -> bool:
            found = [row for row in (await rows(database))["runs"] if row["workflow_id"] == handle.id]
            return [(row["written"], row["sequence"]) for row in found] == [(2, 2)]

        await eventually(is_whole)

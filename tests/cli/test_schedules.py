"""`saga schedules` against a real Temporal server, with a real worker where runs go on."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client

from activities.outbound import open_client
from activities.registry import catalog
from activities.resources import Resources
from cli.exits import Exit
from tests.cli.conftest import GREETING
from tests.support.command_line import Shell
from tests.support.waiting import eventually
from workers.schedules import reconcile
from workers.worker import make_worker
from workflows.language.compiler import compile_sources
from workflows.language.library import Library

TRIGGERS = """
triggers:
  - schedule: {cron: "0 3 * * 1-5", timezone: Asia/Tokyo}
    input: {asks: true, name: Ada}
"""
SECOND = '  - schedule: {cron: "@daily", overlap: allow_all}\n'


@pytest.fixture
def name() -> str:
    """Return the id of a definition that no other test has."""
    return f"nightly-{uuid.uuid4().hex[:8]}"


def library_of(name: str, triggers: str = TRIGGERS) -> Library:
    """Compile the greeting with schedules; a run of the first one waits for an approval."""
    text = GREETING.replace("id: greeting", f"id: {name}") + triggers
    library = compile_sources({"greeting.yaml": text}, catalog()).library
    assert library is not None
    return library


@pytest.fixture
async def scheduled(connected: Shell, client: Client, name: str) -> AsyncIterator[Shell]:
    """A shell whose task queue has a schedule, and a worker for its runs."""
    library, queue = library_of(name), connected.environment["SAGA_TASK_QUEUE"]
    await reconcile(client, library, queue)
    async with open_client() as http, make_worker(client, lambda: library, Resources(http), queue):
        yield connected


async def line_of(shell: Shell, name: str) -> dict[str, Any]:
    """Return a schedule of `saga schedules list --json`, once Temporal's list has it."""
    found: list[dict[str, Any]] = []

    async def is_listed() -> bool:
        found[:] = [each for each in (await shell.saga("schedules", "list", "--json")).json if each["id"] == name]
        return bool(found)

    await eventually(is_listed)
    return found[0]


async def test_list_shows_when_a_schedule_starts_and_how_its_last_run_goes(scheduled: Shell, name: str) -> None:
    """In words, in its own zone; the run that waits for people counts as running."""
    assert (await line_of(scheduled, f"{name}/1"))["last"] is None
    run = (await scheduled.saga("schedules", "trigger", name, "--json")).json

    async def waits() -> bool:
        line = await line_of(scheduled, f"{name}/1")
        return bool(line["running"] == 1 and line["last"]["status"] == "waiting")

    await eventually(waits)
    line = await line_of(scheduled, f"{name}/1")
    assert (line["when"], line["timezone"]) == ("Monday to Friday at 03:00", "Asia/Tokyo")
    assert (line["starts"], line["missed"], line["skipped"]) == (1, 0, 0)
    assert line["last"]["run_id"] == run["run_id"]
    text = (await scheduled.saga("schedules", "list")).out
    assert "Monday to Friday at 03:00" in text
    assert " 03:00:00 JST" in text
    assert "waiting" in text


async def test_list_says_that_a_run_is_gone(scheduled: Shell, client: Client, name: str) -> None:
    """Temporal keeps ended runs for a while only; the schedule still knows when it started the last one."""
    run = (await scheduled.saga("schedules", "trigger", name, "--json")).json
    execution = WorkflowExecution(workflow_id=run["workflow_id"])
    request = DeleteWorkflowExecutionRequest(namespace=client.namespace, workflow_execution=execution)
    await client.workflow_service.delete_workflow_execution(request)

    async def is_gone() -> bool:
        line = await line_of(scheduled, f"{name}/1")
        return bool(line["last"]["status"] == "gone" and line["last"]["workflow_id"] == run["workflow_id"])

    await eventually(is_gone)


async def test_trigger_that_is_skipped_is_exit_code_1_and_counted(scheduled: Shell, client: Client, name: str) -> None:
    """The run before waits for people; the message says how to start one all the same."""
    first = await scheduled.saga("schedules", "trigger", name)
    assert first.code == Exit.OK
    assert f"started {name}/schedule-1-" in first.out
    second = await scheduled.saga("schedules", "trigger", f"{name}/1")
    assert second.code == Exit.RUN_FAILED
    assert "the run before goes on" in second.out
    assert (await line_of(scheduled, f"{name}/1"))["skipped"] == 1
    beside = await scheduled.saga("schedules", "trigger", f"saga/{name}/1", "--overlap", "allow_all", "--json")
    # A command does not wait for ever until the server shows the start; on a busy machine it says that it has asked.
    assert beside.json["outcome"] in {"started", "asked"}

    async def both_run() -> bool:
        return (await client.count_workflows(f"WorkflowType = '{name}' AND ExecutionStatus = 'Running'")).count == 2

    await eventually(both_run)


async def test_pause_survives_a_deployment_and_ends_with_resume(scheduled: Shell, client: Client, name: str) -> None:
    """The note is shown while it is paused; nothing is said to come next."""
    paused = await scheduled.saga("schedules", "pause", name, "--note", "until the bank is back")
    assert paused.code == Exit.OK
    changed = TRIGGERS.replace("0 3", "0 4")
    await reconcile(client, library_of(name, changed), scheduled.environment["SAGA_TASK_QUEUE"])
    line = await line_of(scheduled, f"{name}/1")
    assert (line["when"], line["paused"], line["next"]) == ("Monday to Friday at 04:00", True, [])
    assert "until the bank is back" in (await scheduled.saga("schedules", "list")).out
    assert "is active again. Its next start: " in (await scheduled.saga("schedules", "resume", name)).out
    assert not (await line_of(scheduled, f"{name}/1"))["paused"]
    assert "was not paused" in (await scheduled.saga("schedules", "resume", name)).out


async def test_backfill_says_what_it_would_start_and_then_starts_it(scheduled: Shell, name: str) -> None:
    """Each night of the working week, in the schedule's zone; a dry run starts none; doing it again needs --yes."""
    span = ("--from", "2020-01-06", "--to", "2020-01-12", "--overlap", "allow_all")
    dry = await scheduled.saga("schedules", "backfill", name, *span, "--dry-run")
    for part in ("4 runs (allow_all)", "2020-01-07 03:00:00 JST", "2020-01-10 03:00:00 JST", "Nothing was started"):
        assert part in dry.out
    assert (await line_of(scheduled, f"{name}/1"))["starts"] == 0
    done = (await scheduled.saga("schedules", "backfill", name, *span, "--json")).json
    assert (done["dry_run"], done["made_before"]) == (False, 0)

    async def all_go_on() -> bool:
        line = await line_of(scheduled, f"{name}/1")
        return bool(line["starts"] == line["running"] == done["runs"])

    await eventually(all_go_on)
    assert (await line_of(scheduled, f"{name}/1"))["recent"][0]["scheduled"] == done["first"]
    again = await scheduled.saga("schedules", "backfill", name, *span)
    assert again.code == Exit.BAD_INPUT
    assert "would be made again; say --yes" in again.err


async def test_backfill_is_bounded(connected: Shell, client: Client, name: str) -> None:
    """More than 1,000 runs need --yes, more than 10,000 are refused; nothing was started, nothing lies ahead."""
    often = 'triggers:\n  - schedule: {cron: "* * * * *"}\n'
    await reconcile(client, library_of(name, often), connected.environment["SAGA_TASK_QUEUE"])
    await connected.saga("schedules", "pause", name)
    ahead = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    for arguments, message in (
        (("--from", "2020-01-01", "--to", "2020-01-02"), "1440 runs would be started; say --yes"),
        (("--from", "2020-01-01", "--to", "2020-02-01", "--yes"), "more than 10,000 starts"),
        (("--from", "2020-01-02", "--to", "2020-01-01"), "must be before --to"),
        (("--from", "2020-01-01", "--to", ahead), "lies ahead"),
    ):
        refused = await connected.saga("schedules", "backfill", name, *arguments)
        assert refused.code == Exit.BAD_INPUT
        assert message in refused.err
    nothing = await connected.saga(
        "schedules", "backfill", name, "--from", "2020-01-01T00:00:01Z", "--to", "2020-01-01T00:00:59Z"
    )
    assert (nothing.code, "has no start between these" in nothing.out) == (Exit.OK, True)
    assert (await line_of(connected, f"{name}/1"))["starts"] == 0


async def test_schedule_that_is_not_there_is_refused_with_those_that_are(
    connected: Shell, client: Client, name: str
) -> None:
    """A misspelt name, one that means several, and one of another task queue; nothing is done."""
    none = await connected.saga("schedules", "pause", name)
    assert "has no schedules" in none.err
    await reconcile(client, library_of(name, TRIGGERS + SECOND), connected.environment["SAGA_TASK_QUEUE"])
    await line_of(connected, f"{name}/2")
    for wanted, message in (
        (name.replace("nightly", "nigthly"), f"did you mean '{name}'?"),
        (f"{name}/3", f"did you mean '{name}/"),
        (name, f"{name} has 2 schedules; say which: {name}/1, {name}/2."),
    ):
        refused = await connected.saga("schedules", "pause", wanted)
        assert refused.code == Exit.BAD_INPUT
        assert message in refused.err
    other = connected.with_environment(SAGA_TASK_QUEUE=f"other-{name}")
    assert "it is left alone" in (await other.saga("schedules", "pause", f"{name}/2")).err
    assert "There are no schedules" in (await other.saga("schedules", "list")).out
    assert not (await line_of(connected, f"{name}/2"))["paused"]

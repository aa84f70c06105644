"""Commands about runs, against a real Temporal server and a real worker."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from temporalio.api.workflowservice.v1 import PauseWorkflowExecutionRequest, UnpauseWorkflowExecutionRequest
from temporalio.client import Client

from cli.exits import Exit
from tests.support.command_line import Shell
from tests.support.waiting import PATIENCE_SECONDS, eventually
from tests.workflows.temporal.watching import waiting_approval
from workflows.temporal.statuses import OPEN


@pytest.fixture
def key() -> str:
    """Return a business key that no other test has."""
    return uuid.uuid4().hex[:8]


async def test_run_shows_progress_and_the_result(working: Shell, key: str) -> None:
    """Each step has a line, then comes how the run ended and what it gave."""
    finished = await working.saga("run", "greeting", "--key", key, "--input", '{"name": "Ada"}')
    assert finished.code == Exit.OK
    assert "✓ prepare" in finished.out
    assert f"greeting/{key} completed" in finished.out
    assert '"Hello Ada"' in finished.out


async def test_run_takes_input_from_a_file_and_from_stdin(working: Shell) -> None:
    """`@FILE` and `-` mean the same as the text itself; --json prints one document."""
    working.write("input.json", '{"name": "Eve"}')
    from_file = await working.saga("run", "greeting@1.0.0", "--input", "@input.json", "--json")
    from_stdin = await working.saga("run", "greeting", "--input", "-", "--json", stdin='{"name": "Eve"}')
    assert {from_file.json["output"], from_stdin.json["output"]} == {"Hello Eve"}
    assert from_file.json.keys() == {"workflow_id", "run_id", "status", "output"}
    assert from_file.json["status"] == "completed"


async def test_run_that_fails_is_exit_code_1_with_its_problem(working: Shell, key: str) -> None:
    """Title, type, detail, the step, and what was undone."""
    finished = await working.saga("run", "greeting", "--key", key, "--input", '{"fails": true}')
    assert finished.code == Exit.RUN_FAILED
    for part in ("No greeting (bad-manners)", "They did not knock.", "in step refuse", "undone      prepare"):
        assert part in finished.out
    assert f"greeting/{key} compensated" in finished.out
    assert "Traceback" not in finished.err


async def test_run_with_input_that_breaks_the_schema_fails_with_a_validation_problem(working: Shell) -> None:
    """The document for scripts has the problem."""
    finished = await working.saga("run", "greeting", "--input", '{"name": 3}', "--json")
    assert finished.code == Exit.RUN_FAILED
    assert finished.json["problem"]["type"] == "validation"
    assert finished.json["status"] == "failed"


async def test_run_refuses_a_key_that_is_in_use(working: Shell, key: str) -> None:
    """A second run with the key of one that is running is bad input."""
    first = await working.saga("run", "greeting", "-k", key, "-i", '{"name": "A", "asks": true}', "--detach", "--json")
    assert first.json["workflow_id"] == f"greeting/{key}"
    second = await working.saga("run", "greeting", "-k", key, "--detach")
    assert second.code == Exit.BAD_INPUT
    assert f"greeting/{key}" in second.err


async def test_approve_lists_refuses_and_decides(working: Shell, key: str) -> None:
    """Without a step it lists; who may not decide is refused with the reason; who may lets the run go on."""
    run = f"greeting/{key}"
    await working.saga("run", "greeting", "-k", key, "-i", '{"name": "Ada", "asks": true}', "--detach")
    waiting = await working.saga("approve", run)
    assert "May Ada be greeted?" in waiting.out
    assert "role:doorman" in waiting.out
    refused = await working.saga("approve", run, "ask", "--as", "user:eve")
    assert refused.code == Exit.BAD_INPUT
    assert "user:eve may not decide" in refused.err
    approved = await working.saga("approve", run, "ask", "--as", "user:bob", "--role", "doorman", "--comment", "known")
    assert (approved.code, approved.out) == (Exit.OK, f"Approved step ask of {run}.\n")
    watched = await working.saga("watch", run, "--json")
    assert watched.json["output"] == "Hello Ada"
    again = await working.saga("approve", run, "ask", "--role", "doorman")
    assert again.code == Exit.BAD_INPUT


async def test_reject_makes_the_run_undo_its_steps(working: Shell, key: str) -> None:
    """The no of a person ends the run as compensated, which `watch` reports as a failure."""
    run = f"greeting/{key}"
    await working.saga("run", "greeting", "-k", key, "-i", '{"name": "Ada", "asks": true}', "--detach")
    rejected = await working.saga("reject", run, "ask", "--as", "user:bob", "--role", "doorman", "--json")
    assert rejected.code == Exit.OK
    watched = await working.saga("watch", run)
    assert watched.code == Exit.RUN_FAILED
    assert f"{run} compensated" in watched.out


async def test_cancel_waits_until_everything_is_undone(working: Shell, key: str) -> None:
    """The run ends as cancelled, and the reason is told."""
    run = f"greeting/{key}"
    await working.saga("run", "greeting", "-k", key, "-i", '{"name": "Ada", "asks": true}', "--detach")
    finished = await working.saga("cancel", run, "--reason", "changed my mind", "--wait")
    assert finished.code == Exit.OK
    assert f"{run} cancelled" in finished.out
    assert "undone      prepare" in finished.out
    assert "changed my mind" in finished.out


async def found_stuck(shell: Shell) -> Any:
    """Return what `saga stuck` finds without PostgreSQL."""
    environment = {name: value for name, value in shell.environment.items() if name != "SAGA_DATABASE_URL"}
    return (await Shell(shell.folder, environment).saga("stuck", "--json")).json


async def test_terminated_run_is_found_and_undone(working: Shell, client: Client, key: str) -> None:
    """`list` and `stuck` name it, with what to do; `compensate` undoes what it did."""
    run = f"greeting/{key}"
    await working.saga("run", "greeting", "-k", key, "-i", '{"name": "Ada", "asks": true}', "--detach")
    await waiting_approval(client.get_workflow_handle(run))
    await client.get_workflow_handle(run).terminate()

    async def listed(status: str) -> bool:
        found = (await working.saga("list", "--status", status, "--limit", "100", "--json")).json
        return run in {each["workflow_id"] for each in found}

    await eventually(lambda: listed("terminated"))
    assert not await listed("waiting")
    [stuck] = [each for each in await found_stuck(working) if each["workflow_id"] == run]
    assert (stuck["cause"], stuck["what"]) == (
        "terminated",
        "Somebody or Temporal terminated it while it was waiting; nothing was undone.",
    )
    assert f"saga compensate {run}" in stuck["cure"]
    healed = await working.saga("compensate", run)
    assert healed.code == Exit.OK, healed.err
    watched = await working.saga("watch", run)
    assert f"{run} compensated" in watched.out
    assert run not in {each["workflow_id"] for each in await found_stuck(working)}


async def test_paused_run_is_told_as_paused_and_counts_as_open(working: Shell, client: Client, key: str) -> None:
    """Temporal's newest status, which its SDK does not know, hides nothing and stops no command."""
    run = f"greeting/{key}"
    await working.saga("run", "greeting", "-k", key, "-i", '{"name": "Ada", "asks": true}', "--detach")
    await waiting_approval(client.get_workflow_handle(run))
    pausing = PauseWorkflowExecutionRequest(namespace=client.namespace, workflow_id=run, request_id=key)
    await client.workflow_service.pause_workflow_execution(pausing)

    async def is_listed() -> bool:
        found = (await working.saga("list", "--key", key, "--json")).json
        return [each["status"] for each in found] == ["paused"]

    await eventually(is_listed)
    assert [each["workflow_id"] for each in (await working.saga("list", "--status", "paused", "--json")).json] == [run]
    shown = (await working.saga("show", run)).out
    assert f"{run}  paused" in shown
    assert "answers nothing until `temporal workflow unpause`" in shown
    asked = await working.saga("approve", run)
    assert (asked.code, f"{run} is paused" in asked.err) == (Exit.BAD_INPUT, True)
    refused = await working.saga("redrive", run)
    assert (refused.code, f"{run} is running" in refused.err) == (Exit.BAD_INPUT, True)
    assert (await client.count_workflows(f"WorkflowId = '{run}' AND {OPEN}")).count == 1
    resuming = UnpauseWorkflowExecutionRequest(namespace=client.namespace, workflow_id=run, request_id=f"{key}-2")
    await client.workflow_service.unpause_workflow_execution(resuming)
    await working.saga("approve", run, "ask", "--as", "user:bob", "--role", "doorman")
    assert (await working.saga("watch", run, "--json")).json["output"] == "Hello Ada"


async def test_show_of_a_run_that_was_refused_at_its_start(working: Shell, key: str) -> None:
    """It has no state; the problem is shown."""
    await working.saga("run", "greeting", "-k", key, "-i", '{"name": 3}')
    shown = await working.saga("show", f"greeting/{key}")
    assert shown.code == Exit.OK
    assert "validation" in shown.out


async def test_show_has_the_steps_and_the_state(working: Shell, key: str) -> None:
    """A table for people, the whole state for scripts."""
    run = f"greeting/{key}"
    await working.saga("run", "greeting", "-k", key, "-i", '{"name": "Ada", "asks": true}', "--detach")
    await working.saga("signal", run, "hint", "--data", '{"a": 1}')
    shown, state = await working.saga("show", run), await working.saga("show", run, "--json")
    assert "prepare" in shown.out
    assert f"May Ada be greeted?  (saga approve {run} ask)" in shown.out
    assert "waiting" in shown.out
    assert state.json["status"] == "waiting"
    assert state.json["state"]["mailbox"][0]["data"] == {"a": 1}


async def test_show_says_what_could_not_be_taken(working: Shell, client: Client, key: str) -> None:
    """A signal that cannot be read is no reason to hang, and none to be silent."""
    run = f"greeting/{key}"
    await working.saga("run", "greeting", "-k", key, "-i", '{"name": "Ada", "asks": true}', "--detach")
    await client.get_workflow_handle(run).signal("hint", b"\x00\xff")
    shown = await working.saga("show", run)
    assert "1 message could not be taken" in shown.out
    assert "hint: it must be JSON (encoding json/plain), and its encoding is 'binary/plain'" in shown.out


@pytest.mark.parametrize("given", ['{"name": "\\ud83d"}', "1e999", "[" * 200 + "]" * 200, '{"name": NaN}', "{"])
async def test_input_that_no_run_can_hold_is_refused(working: Shell, given: str) -> None:
    """Before anything is started, with the reason."""
    refused = await working.saga("run", "greeting", "-i", given, "--detach")
    assert refused.code == Exit.BAD_INPUT
    assert "is no JSON" in refused.err


async def test_run_of_an_unknown_definition_shows_its_problem(working: Shell, client: Client, key: str) -> None:
    """It has neither steps nor a plan; what others started by a wrong name is explained all the same."""
    run = f"nothing/{key}"
    await client.start_workflow("nothing", {}, id=run, task_queue=working.environment["SAGA_TASK_QUEUE"])
    watched = await working.saga("watch", run)
    assert watched.code == Exit.RUN_FAILED
    assert "greeting" in watched.out


async def test_list_filters_by_definition_status_and_key(working: Shell, key: str) -> None:
    """The list is Temporal's; filters are search attributes."""
    await working.saga("run", "greeting", "-k", key, "-i", '{"fails": true}')
    async with asyncio.timeout(PATIENCE_SECONDS):
        # Temporal's list lags a little behind.
        while not (runs := (await working.saga("list", "--key", key, "--status", "compensated", "--json")).json):
            pass
    (run,) = runs
    assert (run["workflow_id"], run["definition"], run["version"]) == (f"greeting/{key}", "greeting", "1.0.0")
    assert (await working.saga("list", "--key", key, "--status", "completed", "--json")).json == []
    listed = await working.saga("list", "--definition", "greeting", "--key", key)
    assert f"greeting/{key}  1.0.0    compensated" in listed.out


@pytest.mark.parametrize(
    "arguments", [("watch",), ("show",), ("approve",), ("reject", "ask"), ("signal", "s"), ("cancel",)]
)
async def test_run_that_does_not_exist_is_bad_input(connected: Shell, arguments: tuple[str, ...]) -> None:
    """The message names the way to find those that do."""
    command, *rest = arguments
    finished = await connected.saga(command, f"greeting/{uuid.uuid4()}", *rest)
    assert finished.code == Exit.BAD_INPUT
    assert "saga list" in finished.err


async def test_watch_stops_on_ctrl_c_and_leaves_the_run_alone(working: Shell, key: str) -> None:
    """Ctrl-C ends watching with 130 and nothing but one word."""
    run = f"greeting/{key}"
    await working.saga("run", "greeting", "-k", key, "-i", '{"name": "Ada", "asks": true}', "--detach")
    async with working.running("watch", run) as process:
        assert process.stdout is not None
        await process.stdout.readline()
        process.send_signal(2)
        _, err = await process.communicate()
    assert (process.returncode, err.split()) == (Exit.INTERRUPTED, [b"Interrupted."])
    assert "waiting" in (await working.saga("show", run)).out


async def test_watch_says_once_that_no_worker_answers(connected: Shell, key: str) -> None:
    """The run is safe in Temporal, so this is no error."""
    await connected.saga("run", "greeting", "-k", key, "--detach")
    async with connected.running("watch", f"greeting/{key}") as process:
        assert process.stderr is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert b"No worker answers" in await process.stderr.readline()
        process.send_signal(2)
        await process.communicate()
    assert process.returncode == Exit.INTERRUPTED

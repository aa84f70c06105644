"""What an operator does with the `temporal` program and plain JSON."""

from __future__ import annotations

import asyncio
import sysconfig
import uuid
from pathlib import Path

from temporalio.client import Client

from tests.workflows.temporal.hosting import hosting
from tests.workflows.temporal.plans import act, approval, chain, library, plan, template
from tests.workflows.temporal.watching import Run, failure_of, waiting_approval

PLAN = plan("by-hand", *chain(act("a"), approval("allow", approvers=template(["alice"])), act("b")))


async def temporal(client: Client, *arguments: str) -> tuple[int, str]:
    """Call the program and return its exit code and what it said."""
    program = Path(sysconfig.get_path("scripts")) / "temporal"
    where = ("--address", client.service_client.config.target_host, "--disable-config-file", "--disable-config-env")
    process = await asyncio.create_subprocess_exec(
        str(program), *arguments, *where, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


async def start(client: Client, queue: str, *inputs: str) -> Run:
    """Start a run by the program."""
    name = f"by-hand/{uuid.uuid4().hex}"
    given = [part for value in inputs for part in ("--input", value)]
    where = ("--type", "by-hand", "--workflow-id", name, "--task-queue", queue)
    code, said = await temporal(client, "workflow", "start", *where, *given)
    assert code == 0, said
    return client.get_workflow_handle(name)


async def test_run_is_started_decided_and_shown_by_hand(client: Client) -> None:
    """Start, refused update, state and signal with plain JSON."""
    async with hosting(client, library(PLAN)) as host:
        handle = await start(client, host.queue, '{"n": 1}')
        await waiting_approval(handle)
        run = ("--workflow-id", handle.id)
        bad = '{"step": "allow", "decision": "approve", "approver": "mallory"}'
        code, said = await temporal(client, "workflow", "update", "execute", *run, "--name", "decide", "--input", bad)
        assert code != 0
        assert "mallory may not decide" in said
        code, said = await temporal(client, "workflow", "query", *run, "--name", "approvals")
        assert "May allow?" in said
        good = '{"step": "allow", "approver": "alice"}'
        await temporal(client, "workflow", "signal", *run, "--name", "approve", "--input", good)
        assert (await handle.result())["given"] == {"n": 1}


async def test_run_without_input_starts(client: Client) -> None:
    """No `--input` means `{}`."""
    async with hosting(client, library(PLAN)) as host:
        handle = await start(client, host.queue)
        await waiting_approval(handle)
        assert (await handle.query("state"))["input"] == {}
        await handle.terminate()


async def test_several_inputs_are_refused(client: Client) -> None:
    """Two `--input` fail the run with a plain problem."""
    async with hosting(client, library(PLAN)) as host:
        error = await failure_of(await start(client, host.queue, "1", "2"))
        assert "takes one argument" in error.message

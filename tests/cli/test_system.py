"""`saga up`, `worker`, `bridge`, `doctor` and `demo` as whole processes."""

from __future__ import annotations

import asyncio
import re
import signal
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio.client import Client

from bridge.amqp.publisher import open_publisher
from cli.exits import Exit
from contracts.envelope import Event
from tests.cli.conftest import GREETING
from tests.support.command_line import Shell, until_line
from tests.support.waiting import PATIENCE_SECONDS

TRIGGERED = GREETING + '\ntriggers:\n  - event: guest.came\n    start: {key: "${ event.data.key }"}\n'


@pytest.fixture
def given(connected: Shell, postgres_url: str, amqp_url: str) -> Shell:
    """A shell in which all three services are given."""
    name = connected.environment["SAGA_TASK_QUEUE"]
    connected.write("definitions/greeting.yaml", TRIGGERED.replace("id: greeting", f"id: {name}"))
    return connected.with_environment(SAGA_DATABASE_URL=postgres_url, SAGA_AMQP_URL=amqp_url)


async def publish(amqp_url: str, key: str) -> None:
    """Publish the event that starts a run."""
    event = Event(str(uuid.uuid4()), "guest.came", "1.0", datetime.now(UTC), "test", {"key": key, "name": "Ada"})
    async with open_publisher(amqp_url) as publisher:
        await publisher.publish(event)


async def test_up_runs_an_event_and_stops_on_sigterm(given: Shell) -> None:
    """With given services it starts none; an event becomes a run; SIGTERM ends it in good order."""
    name = given.environment["SAGA_TASK_QUEUE"]
    async with given.running("up") as process:
        lines = await until_line(process, "In another terminal")
        assert any("as given" in line for line in lines)
        assert not any("secret" in line or "@" in line for line in lines)
        await publish(given.environment["SAGA_AMQP_URL"], "k1")
        await until_line(process, f"started {name}/k1")
        watched = await given.saga("watch", f"{name}/k1", "--json")
        assert watched.json["output"] == "Hello Ada"
        process.send_signal(signal.SIGTERM)
        out, err = await process.communicate()
    assert (process.returncode, err) == (Exit.OK, b"")
    assert b"Stopped." in out
    assert Path(given.folder, ".saga/logs/saga.log").exists()


async def test_up_takes_changed_definitions_while_it_runs(given: Shell) -> None:
    """A mistake and a changed version are told and change nothing; a new version takes the next event."""
    name = given.environment["SAGA_TASK_QUEUE"]
    file = Path(given.folder, "definitions/greeting.yaml")
    text = file.read_text()
    async with given.running("up") as process:
        await until_line(process, "In another terminal")
        file.write_text("id: broken")
        await until_line(process, "these have errors")
        file.write_text(text.replace("Hello", "Good day"))
        await until_line(process, "a deployed version never changes")
        file.write_text(text.replace("Hello", "Good day").replace("1.0.0", "1.1.0"))
        await until_line(process, f"new here: {name} 1.1.0")
        await publish(given.environment["SAGA_AMQP_URL"], "k3")
        await until_line(process, f"started {name}/k3")
        assert (await given.saga("watch", f"{name}/k3", "--json")).json["output"] == "Good day Ada"
        process.send_signal(signal.SIGTERM)
        await process.communicate()
    assert process.returncode == Exit.OK


async def test_worker_and_bridge_are_separate_processes(given: Shell, client: Client) -> None:
    """An event goes through the bridge of one process and runs in the worker of another; Ctrl-C ends both."""
    name = given.environment["SAGA_TASK_QUEUE"]
    async with given.running("worker") as worker, given.running("bridge") as bridge:
        for process in (worker, bridge):
            await until_line(process, "task queue", on_stderr=True)
        await publish(given.environment["SAGA_AMQP_URL"], "k2")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (runs := [run async for run in client.list_workflows(f"WorkflowId = '{name}/k2'")]):
                pass
        assert await client.get_workflow_handle(runs[0].id).result() == "Hello Ada"
        for process in (worker, bridge):
            process.send_signal(signal.SIGINT)
            await process.communicate()
    assert (worker.returncode, bridge.returncode) == (Exit.OK, Exit.OK)


async def test_up_starts_nothing_when_a_definition_is_wrong(shell: Shell) -> None:
    """Exit code 2 before anything is asked of a service."""
    shell.write("definitions/bad.yaml", "id: bad")
    finished = await shell.saga("up")
    assert finished.code == Exit.BAD_INPUT
    assert "✓" not in finished.out


async def test_doctor_finds_everything_in_order(given: Shell) -> None:
    """A worker is missing, which is a warning with its cure and no failure."""
    finished = await given.saga("doctor", "--json")
    status = {check["about"]: check["status"] for check in finished.json}
    assert finished.code == Exit.OK
    assert status.pop("Worker") == "warning"
    assert set(status.values()) == {"ok"}
    told = (await given.saga("doctor")).out
    assert "saga worker" in told
    assert re.search(r"RabbitMQ +ok +version \d", told)


async def test_doctor_tells_each_part_that_is_wrong(shell: Shell) -> None:
    """One that is away hides nothing about the others."""
    shell.write("definitions/bad.yaml", "id: bad")
    finished = await shell.saga("doctor", "--json")
    failed = {check["about"]: check["cure"] for check in finished.json if check["status"] == "failed"}
    assert finished.code == Exit.UNREACHABLE
    assert failed.keys() == {"Temporal", "PostgreSQL", "RabbitMQ", "Definitions"}
    assert all(failed.values())


@pytest.mark.integration
async def test_demo_ends_by_itself_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """In an empty folder, with nothing set: its own stack, the shipped definitions, the whole story."""
    finished = await Shell(tmp_path).saga("demo", "--unattended")
    assert finished.code == Exit.OK, finished.out + finished.err
    for part in ("agent.requested", "Approve it? [Y/n] y", "completed", "undone", "compensated", "is gone"):
        assert part in finished.out
    assert list(tmp_path.iterdir()) == []

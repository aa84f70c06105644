"""New versions under load: three deployments, rollouts, a rollback and restarted workers, and no run notices."""

from __future__ import annotations

import asyncio
import signal
import uuid
from asyncio.subprocess import Process
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.registry import catalog
from cli.exits import Exit
from cli.rollouts import following_rollouts
from cli.stack.events import Service
from store.database import open_database
from tests.support.command_line import Shell, until_line
from tests.support.waiting import PATIENCE_SECONDS, eventually
from tests.workflows.temporal.watching import Run, attributes_of
from workflows.language.compiler import compile_sources
from workflows.language.library import Library
from workflows.temporal.run import LibrarySource
from workflows.temporal.starting import signal_run, start_request, start_run

RUNS = 500
DEFINITION = """
id: {name}
version: {version}
rollout: {{percent: {percent}}}
steps:
  - {{id: before, action: data.transform, with: {{value: "{version}"}}}}
  - {{id: wait, type: receive, signal: go}}
  - {{id: after, action: data.transform, with: {{value: "${{ steps.before.output }} then {version}"}}}}
"""


@dataclass
class Load:
    """Runs that are started one after the other, in turns by the product and as the `temporal` CLI does.

    Attributes:
        library: The definitions with the rollouts of now.
        pinned: The version that the product chose, by workflow id.
        foreign: Workflow ids of the runs whose version the worker chooses.
    """

    client: Client
    name: str
    library: LibrarySource
    pinned: dict[str, str] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)

    async def start(self, count: int) -> list[str]:
        """Start so many runs and return their workflow ids."""
        return [await self._start() for _ in range(count)]

    async def _start(self) -> str:
        number = len(self.pinned) + len(self.foreign)
        run = f"{self.name}/k{number}"
        if number % 2:
            await self.client.start_workflow(self.name, {}, id=run, task_queue=self.name)
            self.foreign.append(run)
        else:
            request = start_request(self.library(), self.name, {}, key=f"k{number}")
            assert request is not None
            await start_run(self.client, self.name, request)
            self.pinned[run] = request.definition.version
        return run

    async def version_of(self, run: str) -> str:
        """Return the version that a run follows, as soon as it follows one."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (found := await attributes_of(self.client.get_workflow_handle(run))).get("SagaVersion"):
                pass
        return str(found["SagaVersion"]).partition("+")[0]


@pytest.fixture
def shell(tmp_path: Path, temporal_service: Service, postgres_url: str) -> Shell:
    """A folder for definitions, and where the services are."""
    name = f"versions-{uuid.uuid4().hex[:8]}"
    urls = {"TEMPORAL_ADDRESS": temporal_service.url, "SAGA_DATABASE_URL": postgres_url}
    return Shell(tmp_path, {**urls, "SAGA_TASK_QUEUE": name, "SAGA_AMQP_URL": "amqp://127.0.0.1:1/"})


def write(shell: Shell, version: str, percent: int) -> Library:
    """Add a version to the folder, and compile all that is there."""
    name = shell.environment["SAGA_TASK_QUEUE"]
    shell.write(f"definitions/{version}.yaml", DEFINITION.format(name=name, version=version, percent=percent))
    files = Path(shell.folder, "definitions").iterdir()
    library = compile_sources({file.name: file.read_text() for file in files}, catalog()).library
    assert library is not None
    return library


async def ready(process: Process) -> None:
    """Wait until a worker polls."""
    await until_line(process, "Worker on task queue", on_stderr=True)


async def ended(process: Process, stop: signal.Signals) -> None:
    """Stop a worker, or kill it."""
    process.send_signal(stop)
    await process.communicate()


async def succeeded(shell: Shell, *arguments: str) -> None:
    """Call `saga`; it must succeed."""
    done = await shell.saga(*arguments)
    assert done.code == Exit.OK, done.err


async def test_new_versions_under_load_drop_and_fail_nothing(shell: Shell, client: Client, postgres_url: str) -> None:
    """500 runs, started by the product or by Temporal's client: each ends on the version that it began with."""
    name = shell.environment["SAGA_TASK_QUEUE"]
    current = write(shell, "1.0.0", 100)
    async with AsyncExitStack() as parts:
        database = await parts.enter_async_context(open_database(postgres_url))
        rolled = await parts.enter_async_context(following_rollouts(lambda: current, database))
        load = Load(client, name, rolled)

        async def roll_out(version: str, percent: float) -> None:
            await succeeded(shell, "rollout", name, version, "--percent", str(percent))
            await eventually(lambda: _takes(rolled, f"{name}@{version}", percent))

        async def replace_worker(old: Process, stop: signal.Signals) -> Process:
            loading = asyncio.create_task(load.start(50))
            await succeeded(shell, "deploy")
            new = await parts.enter_async_context(shell.running("worker"))
            await ready(new)
            await ended(old, stop)
            await loading
            return new

        await succeeded(shell, "deploy")
        worker = await parts.enter_async_context(shell.running("worker"))
        await ready(worker)
        await load.start(100)
        current = write(shell, "2.0.0", 0)
        worker = await replace_worker(worker, signal.SIGTERM)
        await roll_out("2.0.0", 30)
        await load.start(100)
        current = write(shell, "3.0.0", 0)
        worker = await replace_worker(worker, signal.SIGKILL)
        await roll_out("3.0.0", 100)
        await load.start(100)
        await roll_out("3.0.0", 0)
        await eventually(lambda: _foreign_runs_follow(load, "3.0.0"))
        after_rollback = await load.start(RUNS - len(load.pinned) - len(load.foreign))

        runs = (*load.pinned, *load.foreign)
        versions = dict(zip(runs, await asyncio.gather(*map(load.version_of, runs)), strict=True))
        await asyncio.gather(*(signal_run(client, run, "go", None) for run in runs))
        await asyncio.gather(*(_end_well(load, run, version) for run, version in versions.items()))
        assert load.pinned.items() <= versions.items()
        assert set(versions.values()) == {"1.0.0", "2.0.0", "3.0.0"}
        assert "3.0.0" not in {versions[run] for run in after_rollback}
        assert len(versions) == RUNS
        await ended(worker, signal.SIGTERM)


async def _takes(source: LibrarySource, name: str, percent: float) -> bool:
    definition = source().resolve(name)
    return definition is not None and source().percent(definition) == percent


async def _foreign_runs_follow(load: Load, rolled_back: str) -> bool:
    """Tell whether the worker has seen the rollback; each question is one more pair of runs."""
    runs = await load.start(2)
    return rolled_back not in [await load.version_of(run) for run in runs]


async def _end_well(load: Load, run: str, version: str) -> None:
    handle: Run = load.client.get_workflow_handle(run)
    assert await handle.result() == f"{version} then {version}"
    assert await load.version_of(run) == version
    kinds = {event.WhichOneof("attributes") for event in (await handle.fetch_history()).events}
    assert "workflow_task_failed_event_attributes" not in kinds

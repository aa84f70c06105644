"""Records the histories of tests/acceptance/histories anew: `python -m tests.acceptance.record_histories`.

It starts PostgreSQL, the Temporal server and the time-skipping one, runs every scenario of `scenarios` with the shipped
definitions, and writes each history to `histories/<definition>/<name>.json`, an event a line. What was there before is
replaced, so that a removed scenario leaves nothing behind.

Record anew when a definition was given a new version, when a scenario is added, or when the commands of the workflow
code were changed before a release. After a release an old history that no longer replays is not a reason to record: it
is a bug that would break runs in flight.
"""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import click
from temporalio.client import Client, WorkflowHistory

from activities.outbound import open_client
from activities.resources import Resources
from cli.stack import postgres, temporal
from cli.stack.folder import StateFolder
from cli.stack.ports import choose_port
from store.database import open_database
from tests.acceptance.scenarios import REAL_TIME, TIME_SKIPPING, Scenario, ScenarioHost, history_of
from tests.definitions.hosting import hosting
from tests.support.recording_publisher import RecordingPublisher
from tests.support.services.temporal import skipping_time

HISTORIES = Path(__file__).with_name("histories")
_IDENTITY = "recorder"  # of clients and workers; by default the SDK writes the machine's name into the history


def load(file: Path) -> WorkflowHistory:
    """Read a recorded history."""
    definition = file.parent.name
    return WorkflowHistory.from_json(f"{definition}/{file.stem}", file.read_text(encoding="utf-8"))


def save(name: str, history: WorkflowHistory) -> None:
    """Write a history; `name` is `<definition>/<name>`."""
    file = HISTORIES / f"{name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    events = _without_stack_traces(history.to_json_dict()["events"])
    lines = (json.dumps(event, separators=(",", ":"), ensure_ascii=False) for event in events)
    file.write_text('{"events":[\n' + ",\n".join(lines) + "\n]}\n", encoding="utf-8")


def _without_stack_traces(value: Any) -> Any:
    """Leave out what holds the recording machine's paths; no replay reads it."""
    if isinstance(value, list):
        return [_without_stack_traces(each) for each in value]
    if isinstance(value, dict):
        return {key: _without_stack_traces(each) for key, each in value.items() if key != "stackTrace"}
    return value


async def record() -> int:
    """Run and write all scenarios; return how many there are."""
    shutil.rmtree(HISTORIES, ignore_errors=True)
    async with _scenario_hosts() as (real, skipping_host):
        for scenarios, host in ((REAL_TIME, real), (TIME_SKIPPING, skipping_host)):
            await _write(scenarios, host)
    return len(REAL_TIME) + len(TIME_SKIPPING)


async def _write(scenarios: Mapping[str, Scenario], host: ScenarioHost) -> None:
    for name, scenario in scenarios.items():
        click.echo(name)
        save(name, await history_of(scenario, host))


@asynccontextmanager
async def _scenario_hosts() -> AsyncIterator[tuple[ScenarioHost, ScenarioHost]]:
    async with AsyncExitStack() as parts:
        name = parts.enter_context(tempfile.TemporaryDirectory(prefix="saga-record-"))
        Path(name).chmod(0o711)  # the user that PostgreSQL runs as must get in
        folder = StateFolder.at(Path(name))
        database = await parts.enter_async_context(postgres.serving(folder, choose_port(), durable=False))
        opened = await parts.enter_async_context(open_database(database.url))
        http = await parts.enter_async_context(open_client())
        resources = Resources(http, database=opened, publisher=RecordingPublisher())
        ports = temporal.choose_ports(ui=False, preferred=(), preferred_ui=())
        server = await parts.enter_async_context(temporal.serving(folder, ports))
        client = await Client.connect(server.url, identity=_IDENTITY)
        skipping = await parts.enter_async_context(skipping_time(Path(name), identity=_IDENTITY))
        real = await parts.enter_async_context(hosting(client, resources))
        skipping_host = await parts.enter_async_context(hosting(skipping.client, resources))
        yield ScenarioHost(real), ScenarioHost(skipping_host, skipping)


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # failures are part of the scenarios
    click.echo(f"{asyncio.run(record())} histories in {HISTORIES}")

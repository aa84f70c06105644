"""Records the histories of tests/acceptance/histories anew: `python -m tests.acceptance.record`.

It starts PostgreSQL, the Temporal server and the one that skips time, plays every scene of `scenes` with the shipped
definitions, and writes each history to `histories/<definition>/<name>.json`, an event a line. What was there before is
replaced, so that a scene which is gone leaves nothing behind.

Record anew when a definition was given a new version, when a scene is added, or when the shell's commands were changed
before a release. After a release an old history that no longer replays is not a reason to record: it is a bug that
would break runs in flight.
"""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import sysconfig
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import click
from temporalio.client import Client, WorkflowHistory
from temporalio.testing import WorkflowEnvironment

from activities.outbound import open_client
from activities.resources import Resources
from cli.stack import postgres, temporal
from cli.stack.folder import StateFolder
from cli.stack.ports import choose_port
from store.database import open_database
from tests.acceptance.scenes import LATER, NOW, Scene, Theatre, history_of
from tests.acceptance.skipping import add_search_attributes
from tests.activities.bus import RememberingBus
from tests.definitions.hosting import hosting

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
    """Play and write all scenes; return how many there are."""
    shutil.rmtree(HISTORIES, ignore_errors=True)
    async with _theatres() as (now, later):
        for scenes, theatre in ((NOW, now), (LATER, later)):
            await _write(scenes, theatre)
    return len(NOW) + len(LATER)


async def _write(scenes: Mapping[str, Scene], theatre: Theatre) -> None:
    for name, scene in scenes.items():
        click.echo(name)
        save(name, await history_of(scene, theatre))


@asynccontextmanager
async def _theatres() -> AsyncIterator[tuple[Theatre, Theatre]]:
    async with AsyncExitStack() as parts:
        name = parts.enter_context(tempfile.TemporaryDirectory(prefix="saga-record-"))
        Path(name).chmod(0o711)  # the user that PostgreSQL runs as must get in
        folder = StateFolder.at(Path(name))
        database = await parts.enter_async_context(postgres.serving(folder, choose_port(), durable=False))
        opened = await parts.enter_async_context(open_database(database.url))
        http = await parts.enter_async_context(open_client())
        resources = Resources(http, database=opened, publisher=RememberingBus())
        ports = temporal.choose_ports(ui=False, preferred=(), preferred_ui=())
        server = await parts.enter_async_context(temporal.serving(folder, ports))
        client = await Client.connect(server.url, identity=_IDENTITY)
        binary = Path(sysconfig.get_path("scripts"), "temporal-test-server")
        skipping = await parts.enter_async_context(
            await WorkflowEnvironment.start_time_skipping(test_server_existing_path=str(binary), identity=_IDENTITY)
        )
        await add_search_attributes(skipping)
        now = await parts.enter_async_context(hosting(client, resources))
        later = await parts.enter_async_context(hosting(skipping.client, resources))
        yield Theatre(now), Theatre(later, skipping)


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # the failures of the scenes are meant
    click.echo(f"{asyncio.run(record())} histories in {HISTORIES}")

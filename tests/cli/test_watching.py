"""`saga worker` watches its runs: metrics on the endpoint, lifecycle events and breaches in the outbox."""

from __future__ import annotations

import asyncio
import json
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

from cli.bus import read_bus_files
from cli.exits import Exit
from cli.stack.ports import choose_port
from contracts.envelope import Event
from store.database import Database
from store.outbox import SHARDS, claimed
from tests.cli.test_metrics import scraped
from tests.store.run_rows import add_run
from tests.support.command_line import Shell, until_line
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
WATCHED = """
id: watched
version: 1.0.0
lifecycle: all
sla: {max_duration: 1h}
input: {type: object}
steps:
  - id: prepare
    action: data.transform
    with: {value: ready}
    compensate: {action: data.transform, with: {value: undone}}
  - id: refuse
    type: fail
    if: has(input.fails)
    error: {type: bad-manners, title: No, detail: They did not knock.}
"""


async def told(database: Database) -> list[Event]:
    """Return the events in the outbox, in the order in which they were written."""
    rows: list[Any] = []
    for shard in range(SHARDS):
        async with claimed(database, shard, 1000) as claim:
            rows += [] if claim is None else claim.rows
    return [row.event for row in sorted(rows, key=lambda row: row.id)]


async def test_worker_watches_its_runs(connected: Shell, database: Database, postgres_url: str) -> None:
    """A run that goes well, one that is rolled back, and one that takes too long."""
    await add_run(database, "late", definition="watched", started=timedelta(hours=2))
    connected.write("definitions/watched.yaml", WATCHED)
    port = choose_port()
    environment = {**connected.environment, "SAGA_METRICS_PORT": str(port), "SAGA_DATABASE_URL": postgres_url}
    del environment["SAGA_AMQP_URL"]
    shell = Shell(connected.folder, environment)
    async with shell.running("worker") as worker:
        await until_line(worker, "Worker on task queue", on_stderr=True)
        good = await shell.saga("run", "watched", "--key", "good")
        bad = await shell.saga("run", "watched", "--key", "bad", "--input", json.dumps({"fails": True}))

        async def all_told() -> bool:
            return len(await told(database)) == 10

        await eventually(all_told)
        text = await asyncio.to_thread(scraped, port)
        worker.send_signal(signal.SIGTERM)
        await worker.communicate()
    assert (good.code, bad.code, worker.returncode) == (Exit.OK, Exit.RUN_FAILED, Exit.OK), good.err + bad.err
    check_metrics(text)
    check_events(await told(database))


def check_metrics(text: str) -> None:
    """Each run is counted, by version and status."""
    version = 'definition="watched",'
    for line in (
        f'saga_runs_started_total{{{version}version="1.0.0"}} 2.0',
        f'saga_runs_ended_total{{{version}status="completed",version="1.0.0"}} 1.0',
        f'saga_runs_ended_total{{{version}status="compensated",version="1.0.0"}} 1.0',
        f'saga_runs_ended_total{{{version}status="failed",version="1.0.0"}} 0.0',
        f'saga_steps_ended_total{{{version}outcome="completed",step="prepare",version="1.0.0"}} 2.0',
        f'saga_sla_breaches_total{{{version}version="1.0.0"}} 1.0',
        f'saga_runs_open{{{version}status="running",version="1.0.0"}} 1.0',
        "saga_lifecycle_dropped_total 0.0",
    ):
        assert line in text


def check_events(events: list[Event]) -> None:
    """Each run tells its life in its order, and every event is what its schema says."""
    assert [event.type for event in events if event.group_id == "good"] == [
        "workflow.started",
        "workflow.step.completed",
        "workflow.completed",
    ]
    assert [event.type for event in events if event.group_id == "bad"] == [
        "workflow.started",
        "workflow.step.completed",
        "workflow.step.failed",
        "workflow.compensating",
        "workflow.step.completed",
        "workflow.compensated",
    ]
    assert [event.type for event in events if event.group_id == "late"] == ["workflow.sla-breached"]
    schemas = read_bus_files(ROOT / "definitions").schemas
    for event in events:
        schemas.check(event)

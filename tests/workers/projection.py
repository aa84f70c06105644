"""The projection in tests: a worker that writes it, and all its rows."""

from __future__ import annotations

import re
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from store.database import Database
from tests.workflows.temporal.hosting import Host, Ledger
from workers.attempts import AttemptInterceptor
from workers.mending import Pace
from workers.rebuilding import histories_of
from workers.recording import Recording, recording
from workers.snapshots import CAPACITY
from workflows.language.library import Library
from workflows.temporal.classes import workflow_classes
from workflows.temporal.course import Sink
from workflows.temporal.interceptor import ShellInterceptor

AT_ONCE = Pace(timedelta(seconds=0.1), timedelta(0), timedelta(seconds=3), timedelta(minutes=1))
NEVER = Pace(interval=timedelta(hours=1), settled=timedelta(hours=1), silence=timedelta(hours=1))
LONG_AGO = 1_000_000_000_000
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\S+")
TABLES = ("runs", "steps", "attempts", "snapshots", "approvals")

Rows = dict[str, list[dict[str, Any]]]


@dataclass
class RecordedHost:
    """A host whose runs are recorded in the projection."""

    host: Host
    record: Recording


@asynccontextmanager
async def recorded(  # noqa: PLR0913  # what a test may want otherwise, by name
    client: Client,
    database: Database,
    library: Library,
    *,
    queue: str | None = None,
    pace: Pace = NEVER,
    continue_after: int | None = None,
    cached: int = 1000,
    capacity: int = CAPACITY,
    activities: Sequence[Callable[..., Any]] = (),
    sink: Callable[[Recording], Sink] = lambda record: record.snapshots.take,
) -> AsyncIterator[RecordedHost]:
    """Run a worker inside the block; what its runs do is written at the latest when the block ends.

    With other `activities` than the ledger's, or another `sink`.
    """
    ledger = Ledger()
    host = Host(client, queue or f"q{uuid.uuid4().hex[:8]}", ledger, library)
    recorder = recording(client, database, lambda: library, pace=pace, continue_after=continue_after, capacity=capacity)
    async with (
        recorder as record,
        Worker(
            client,
            task_queue=host.queue,
            workflows=workflow_classes(lambda: library, continue_after=continue_after),
            activities=activities or ledger.activities(),
            workflow_runner=UnsandboxedWorkflowRunner(),
            interceptors=[ShellInterceptor(sink(record)), AttemptInterceptor(record.snapshots.put)],
            max_cached_workflows=cached,
            max_heartbeat_throttle_interval=timedelta(milliseconds=50),
            default_heartbeat_throttle_interval=timedelta(milliseconds=50),
        ),
    ):
        yield RecordedHost(host, record)


async def rows(database: Database) -> Rows:
    """Return all rows of the projection, sorted."""
    found: Rows = {}
    for table in TABLES:
        query = f"select * from saga.{table}"  # noqa: S608  # the names above
        entries = await database.fetch(query)
        found[table] = sorted(entries, key=repr)
    return found


async def empty(database: Database) -> None:
    """Delete all rows of the projection."""
    await database.fetch("truncate saga.runs, saga.steps, saga.attempts, saga.snapshots, saga.approvals")


async def wanted_of(client: Client, *workflow_ids: str) -> dict[str, tuple[str, ...]]:
    """Return the runs with all their children, as the histories tell them."""
    found: dict[str, tuple[str, ...]] = dict.fromkeys(workflow_ids, ())
    for identity in workflow_ids:
        for history in await histories_of(client, identity):
            started = (event.child_workflow_execution_started_event_attributes for event in history.events)
            children = [child.workflow_execution.workflow_id for child in started if child.workflow_execution.run_id]
            found |= await wanted_of(client, *children)
    return found


def timeless(found: Rows) -> Rows:
    """Return the rows without moments.

    The SDK may give the answer of a local activity another time (by milliseconds) when it replays, so runs with local
    steps are compared so; those with remote steps alone are equal with their moments.
    """
    return {table: sorted(map(_timeless, entries), key=repr) for table, entries in found.items()}


def _timeless(value: Any) -> Any:
    match value:
        case dict():
            return {name: _timeless(value[name]) for name in sorted(value)}
        case list():
            return [_timeless(each) for each in value]
        case datetime():
            return "then"
        case int() if value > LONG_AGO:
            return "then"
        case str() if MOMENT.fullmatch(value):
            return "then"
    return value


def differences(one: Rows, other: Rows) -> list[str]:
    """Return the rows that only one of two projections has."""
    return [
        f"{'-+'[side]} {table}: {row}"
        for table in TABLES
        for side, (mine, others) in enumerate(((one, other), (other, one)))
        for row in mine[table]
        if row not in others[table]
    ]

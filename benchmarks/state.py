"""What the projection of runs costs: throughput beside a worker without it, its writer, rebuilding, and its storage.

`python -m benchmarks.state` starts a Temporal server and a PostgreSQL of its own and prints each figure with its goal
beside it. `--rounds N` and `--only NAME` make it shorter.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client

from activities.outbound import open_client
from activities.resources import Resources
from benchmarks.contestants import library
from benchmarks.goals import Row, all_hold, as_text
from cli.stack import postgres, temporal
from cli.stack.folder import StateFolder
from cli.stack.ports import choose_port
from store.database import Database, open_database
from store.runs import rows_of, write
from workers.attempts import AttemptInterceptor
from workers.projecting import BATCH
from workers.rebuilding import Wanted, rebuild
from workers.recording import recording
from workers.worker import make_worker
from workflows.engine.advance import advance, new_state
from workflows.engine.change import Change, change_of
from workflows.engine.events import Begun, Done, Event, RunInfo
from workflows.language.library import Library
from workflows.language.plan import Plan
from workflows.temporal.classes import workflow_classes
from workflows.temporal.starting import StartRequest, start_run

RUNS = 200
AT_ONCE = 50
GOAL = 0.97
SNAPSHOTS = 60_000
_SIZE = """
select sum(pg_total_relation_size(oid)) / (select count(*) from saga.steps) as bytes
from pg_class where oid in (
    'saga.runs'::regclass, 'saga.steps'::regclass, 'saga.attempts'::regclass, 'saga.snapshots'::regclass,
    'saga.approvals'::regclass
)
"""


@dataclass
class Ring:
    """What is measured on."""

    client: Client
    database: Database
    library: Library
    rounds: int


async def throughput(ring: Ring) -> list[Row]:
    """Runs a second of three remote steps, with the projection and without, taking turns."""
    rates: dict[bool, list[float]] = {True: [], False: []}
    async with open_client() as http, _workers(ring, Resources(http=http)) as queues:
        await _rate(ring, queues[True])
        await _rate(ring, queues[False])
        for turn in range(ring.rounds):
            for on in (True, False) if turn % 2 else (False, True):
                gc.collect()
                rates[on].append(await _rate(ring, queues[on]))
    product, beside = statistics.median(rates[True]), statistics.median(rates[False])
    ratio = statistics.median(mine / theirs for mine, theirs in zip(rates[True], rates[False], strict=True))
    return [
        Row(
            "runs/s, three remote steps",
            f"{product:.1f}",
            f"{beside:.1f} off",
            f"{ratio:.2f}",
            f">= {GOAL}",
            ratio >= GOAL,
        )
    ]


@asynccontextmanager
async def _workers(ring: Ring, resources: Resources) -> AsyncIterator[dict[bool, str]]:
    queues = {True: "on", False: "off"}
    async with AsyncExitStack() as parts:
        record = await parts.enter_async_context(recording(ring.client, ring.database, lambda: ring.library))
        on = make_worker(
            ring.client,
            lambda: ring.library,
            resources,
            queues[True],
            sink=record.snapshots.take,
            interceptors=[AttemptInterceptor(record.snapshots.put)],
        )
        await parts.enter_async_context(on)
        await parts.enter_async_context(make_worker(ring.client, lambda: ring.library, resources, queues[False]))
        yield queues


async def _rate(ring: Ring, queue: str) -> float:
    definition = ring.library.resolve("remote")
    assert definition is not None
    gate = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with gate:
            started = await start_run(ring.client, queue, StartRequest(definition, {"n": 1}))
            await ring.client.get_workflow_handle(started.workflow_id).result()

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(RUNS)))
    return RUNS / (time.perf_counter() - began)


async def rebuilding(ring: Ring) -> list[Row]:
    """Runs a second that are made again from their histories."""
    async with open_client() as http, make_worker(ring.client, lambda: ring.library, Resources(http), "rebuilt"):
        for _ in range(3):
            await _rate(ring, "rebuilt")
    wanted: Wanted = await _ended(ring.client, 3 * RUNS)
    began = time.perf_counter()
    found = await rebuild(ring.client, ring.database, workflow_classes(lambda: ring.library), wanted)
    rate = found.runs / (time.perf_counter() - began)
    return [_at_least("runs/s rebuilt from their histories", rate, 200)]


async def _ended(client: Client, number: int) -> Wanted:
    while True:  # the list follows within a second; there is nothing to be told by
        query = "TaskQueue = 'rebuilt' AND ExecutionStatus = 'Completed'"
        found = {run.id: [run.run_id] async for run in client.list_workflows(query)}
        if len(found) >= number:
            return found
        await asyncio.sleep(0.1)


async def writing(ring: Ring) -> list[Row]:
    """Snapshots a second that one writer puts into PostgreSQL, with their runs and steps; bytes for each step."""
    definition = ring.library.resolve("remote")
    assert definition is not None
    changes = [change for _ in range(SNAPSHOTS // 4) for change in _run(definition.plan)]
    await ring.database.fetch("truncate saga.runs, saga.steps, saga.attempts, saga.snapshots, saga.approvals")
    began = time.perf_counter()
    for start in range(0, len(changes), BATCH):
        await write(ring.database, rows_of(changes[start : start + BATCH]))
    rate = len(changes) / (time.perf_counter() - began)
    size = float((await ring.database.fetch(_SIZE))[0]["bytes"])
    stored = Row("bytes stored for a step, all told", f"{size:.0f}", "", "", "stated", holds=True)
    return [_at_least("snapshots/s written", rate, 20_000), stored]


def _run(plan: Plan) -> Iterator[Change]:
    identity, state = str(uuid.uuid4()), new_state(plan)
    events: list[Event] = [Begun(1_700_000_000_000, RunInfo(identity, f"remote/{identity}", identity), {"n": 1})]
    events += [Done(1_700_000_000_000 + n, f"s{n}", {"n": n + 2}) for n in range(3)]
    for event in events:
        state, commands = advance(plan, state, event)
        yield change_of(plan, state, event, commands, identity)


async def sink(ring: Ring) -> list[Row]:
    """What a workflow task pays for an event: the rows are made there."""
    definition = ring.library.resolve("remote")
    assert definition is not None
    gc.collect()
    began = time.perf_counter()
    count = sum(1 for _ in range(2_000) for _ in _run(definition.plan))
    with_rows = (time.perf_counter() - began) / count * 1e6
    return [Row("us for an event and its rows", f"{with_rows:.0f}", "", "", "stated", holds=True)]


def _at_least(name: str, value: float, goal: float) -> Row:
    return Row(name, f"{value:,.0f}", "", "", f">= {goal:,.0f}", value >= goal)


GROUPS: dict[str, Callable[[Ring], Awaitable[list[Row]]]] = {
    "sink": sink,
    "writing": writing,
    "throughput": throughput,
    "rebuilding": rebuilding,
}


async def main(rounds: int, only: list[str]) -> bool:
    """Measure the groups named (all, if none is) and return whether every goal was met."""
    with tempfile.TemporaryDirectory() as place:
        folder = StateFolder.at(Path(place))
        ports = temporal.choose_ports(ui=False, preferred=(), preferred_ui=())
        async with (
            temporal.serving(folder, ports) as server,
            postgres.serving(folder, choose_port()) as service,
            open_database(service.url) as database,
        ):
            ring = Ring(await Client.connect(server.url), database, library(), rounds)
            rows = [line for name in only or GROUPS for line in await GROUPS[name](ring)]
    print(f"\n{as_text(rows)}")
    return all_hold(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", action="append", choices=tuple(GROUPS), default=[])
    chosen = parser.parse_args()
    sys.exit(0 if asyncio.run(main(chosen.rounds, chosen.only)) else 1)

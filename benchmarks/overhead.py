"""What the product costs beside temporalio written by hand: latency, throughput, history, memory, start-up.

`python -m benchmarks.overhead` starts a real server of its own, lets the two take turns for five rounds, and prints the
medians and their ratios with the goals beside them. `--rounds N` and `--only NAME` make it shorter. The goals are for
the development server with its file as it comes; `--storage wal` measures on the faster one of `saga up`, where a step
costs both sides less, so that what local steps save is a smaller share.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.outbound import open_client
from activities.registry import catalog, temporal_activities
from activities.resources import Resources
from benchmarks.contestants import HAND, ITEMS, library
from benchmarks.engine_cost import advance_microseconds
from cli.stack import temporal
from cli.stack.folder import StateFolder
from workers.worker import WorkerLimits, make_worker
from workflows.language.compiler import compile_sources
from workflows.language.library import Library
from workflows.temporal.starting import StartRequest, start_run

SEQUENTIAL = 15
RUNS = 150
AT_ONCE = 50
WAITING = 1000
Run = Callable[[Any], Awaitable[Any]]


@dataclass(frozen=True)
class Row:
    """One line of the report; `holds` compares the ratio (or value) with the goal."""

    name: str
    product: str
    by_hand: str
    ratio: str
    goal: str
    holds: bool


@dataclass
class Ring:
    """Where the two take turns."""

    client: Client
    library: Library
    rounds: int

    async def product(self, name: str, given: Any) -> Any:
        """Carry out one run of a definition and return its result."""
        definition = self.library.resolve(name)
        assert definition is not None
        started = await start_run(self.client, "product", StartRequest(definition, given))
        return await self.client.get_workflow_handle(started.workflow_id, run_id=started.run_id).result()

    async def by_hand(self, name: str, given: Any) -> Any:
        """Carry out one run of a hand-written workflow."""
        return await self.client.execute_workflow(f"hand-{name}", given, id=uuid.uuid4().hex, task_queue="hand")

    async def events(self, workflow_id: str) -> int:
        """Return the length of a run's history."""
        history = await self.client.get_workflow_handle(workflow_id).fetch_history()
        return len(history.events)


async def latency(run: Run, given: Any) -> float:
    """Return the milliseconds of one run, one after the other."""
    began = time.perf_counter()
    for _ in range(SEQUENTIAL):
        await run(given)
    return (time.perf_counter() - began) / SEQUENTIAL * 1000


async def throughput(run: Run, given: Any, runs: int = RUNS) -> float:
    """Return the runs a second with 50 in flight."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with room:
            await run(given)

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(runs)))
    return runs / (time.perf_counter() - began)


async def compare(
    ring: Ring, product: Run, by_hand: Run, measure: Callable[[Run], Awaitable[float]]
) -> tuple[float, float]:
    """Measure both in turns; return the two medians."""
    ours, theirs = [], []
    for _ in range(ring.rounds):
        theirs.append(await measure(by_hand))
        ours.append(await measure(product))
    return statistics.median(ours), statistics.median(theirs)


def row(name: str, ours: float, theirs: float, unit: str, goal: float, *, less: bool) -> Row:
    """Compare a ratio with its goal."""
    return _compared(name, (ours, theirs, ours / theirs), unit, goal, less=less)


def paired(name: str, ours: Sequence[float], theirs: Sequence[float], unit: str, goal: float, *, less: bool) -> Row:
    """Compare the median of the ratios of turns that stood side by side: a drift of the machine is in both."""
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    return _compared(name, (statistics.median(ours), statistics.median(theirs), ratio), unit, goal, less=less)


def _compared(name: str, figures: tuple[float, float, float], unit: str, goal: float, *, less: bool) -> Row:
    ours, theirs, ratio = figures
    sign = "<=" if less else ">="
    holds = ratio <= goal if less else ratio >= goal
    return Row(name, f"{ours:.1f} {unit}", f"{theirs:.1f} {unit}", f"{ratio:.2f} x", f"{sign} {goal:.2f} x", holds)


def limit(name: str, value: float, unit: str, goal: float) -> Row:
    """Compare a value with its goal."""
    return Row(name, f"{value:.2f} {unit}", "", "", f"<= {goal:g} {unit}", value <= goal)


async def three_steps(ring: Ring) -> list[Row]:
    """Three steps, remote and local, against three remote activities by hand."""
    given = {"n": 0}
    rows = []
    by_hand = _bound(ring.by_hand, "remote")
    for name, slow, fast in (("remote", 1.0, 1.0), ("local", 0.45, 2.2)):
        product = _bound(ring.product, name)
        ours, theirs = await compare(ring, product, by_hand, lambda run: latency(run, given))
        rows.append(row(f"three {name} steps: latency", ours, theirs, "ms", slow, less=True))
        ours, theirs = await compare(ring, product, by_hand, lambda run: throughput(run, given))
        rows.append(row(f"three {name} steps: throughput", ours, theirs, "runs/s", fast, less=False))
    return rows + await _histories(ring)


async def _histories(ring: Ring) -> list[Row]:
    hand = uuid.uuid4().hex
    await ring.client.execute_workflow("hand-remote", {"n": 0}, id=hand, task_queue="hand")
    base = await ring.events(hand)
    rows = []
    for name, goal in (("remote", base + 2), ("local", 10)):
        definition = ring.library.resolve(name)
        assert definition is not None
        started = await start_run(ring.client, "product", StartRequest(definition, {"n": 0}))
        await ring.client.get_workflow_handle(started.workflow_id).result()
        count = await ring.events(started.workflow_id)
        rows.append(Row(f"three {name} steps: events", str(count), str(base), "", f"<= {goal}", count <= goal))
    return rows


async def wide(ring: Ring) -> list[Row]:
    """Ten parallel steps, and a foreach over 1,000 items."""
    ours, theirs = await compare(
        ring, _bound(ring.product, "parallel"), _bound(ring.by_hand, "parallel"), lambda run: throughput(run, {}, 60)
    )
    rows = [row("ten parallel steps: throughput", ours, theirs, "runs/s", 0.95, less=False)]
    items = {"items": list(range(ITEMS))}
    ours, theirs = await compare(
        ring, _bound(ring.product, "foreach"), _bound(ring.by_hand, "foreach"), lambda run: _items_a_second(run, items)
    )
    return [*rows, row("foreach over 1,000 items: throughput", ours, theirs, "items/s", 0.95, less=False)]


async def _items_a_second(run: Run, items: Any) -> float:
    began = time.perf_counter()
    await run(items)
    return ITEMS / (time.perf_counter() - began)


async def memory(ring: Ring) -> list[Row]:
    """What one waiting run takes in the worker."""
    definition = ring.library.resolve("waiting")
    assert definition is not None
    gc.collect()
    before = _resident_kilobytes()
    for start in range(0, WAITING, AT_ONCE):
        requests = (StartRequest(definition, {}, key=str(start + n)) for n in range(AT_ONCE))
        await asyncio.gather(*(start_run(ring.client, "product", request) for request in requests))
    await _all_wait(ring.client)
    gc.collect()
    return [limit("a waiting run in the worker", (_resident_kilobytes() - before) / WAITING, "KB", 80)]


async def _all_wait(client: Client) -> None:
    # The visibility store follows within a second; there is nothing to be told by.
    while (await client.count_workflows("SagaStatus = 'waiting'")).count < WAITING:  # noqa: ASYNC110
        await asyncio.sleep(0.1)


async def core(_: Ring) -> list[Row]:
    """The engine, the compiler and the command line by themselves."""
    small, large = advance_microseconds(20), advance_microseconds(500)
    rows = [limit("advance, plan of 20 steps", small, "us", 15)]
    rows.append(row("advance, plan of 500 steps", large, small, "us", 1.5, less=True))
    rows.append(limit("validate 100 definitions of 30 steps", _validation_seconds(), "s", 3))
    rows.append(limit("saga --help", _help_seconds(), "s", 0.4))
    return rows


STORAGES: dict[str, Mapping[str, str]] = {"journal": {}, "wal": temporal.STORAGE}


@asynccontextmanager
async def _server(folder: Path, storage: str) -> AsyncIterator[Client]:
    ports = temporal.choose_ports(ui=False, preferred=(), preferred_ui=())
    async with temporal.serving(StateFolder.at(folder), ports, STORAGES[storage]) as service:
        yield await Client.connect(service.url)


def _validation_seconds() -> float:
    steps = "".join(
        f"  - {{id: s{n}, action: data.transform, with: {{value: '${{ input.n + {n} }}'}}, if: 'input.n > {n}'}}\n"
        for n in range(30)
    )
    schema = "input: {type: object, properties: {n: {type: number}}}\n"
    sources = {f"{n}.yaml": f"id: d{n}\nversion: 1.0.0\n{schema}steps:\n{steps}" for n in range(100)}
    began = time.perf_counter()
    if not compile_sources(sources, catalog()).ok:
        raise SystemExit("the benchmark's definitions do not compile")
    return time.perf_counter() - began


def _help_seconds() -> float:
    saga = str(Path(sysconfig.get_path("scripts")) / "saga")
    seconds = []
    for _ in range(7):
        began = time.perf_counter()
        subprocess.run([saga, "--help"], check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own program
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def _resident_kilobytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024


def _bound(run: Callable[[str, Any], Awaitable[Any]], name: str) -> Run:
    return lambda given: run(name, given)


def show(rows: list[Row]) -> None:
    """Print the report."""
    print(f"\n{'':38}{'product':>16}{'by hand':>16}{'ratio':>9}  goal")
    for line in rows:
        mark = "ok" if line.holds else "MISSED"
        print(f"{line.name:38}{line.product:>16}{line.by_hand:>16}{line.ratio:>9}  {line.goal:12}{mark}")


GROUPS: dict[str, Callable[[Ring], Awaitable[list[Row]]]] = {
    "core": core,
    "three": three_steps,
    "wide": wide,
    "memory": memory,
}


async def main(rounds: int, only: list[str], storage: str) -> bool:
    """Measure the groups named (all, if none is) and return whether every goal was met."""
    loaded = library()
    with tempfile.TemporaryDirectory() as folder:
        async with _server(Path(folder), storage) as client, open_client() as http:
            resources = Resources(http=http)
            ours = make_worker(client, lambda: loaded, resources, "product", limits=WorkerLimits())
            theirs = Worker(
                client,
                task_queue="hand",
                workflows=HAND,
                activities=temporal_activities(resources),
                workflow_runner=UnsandboxedWorkflowRunner(),
                max_cached_workflows=2000,
                max_concurrent_workflow_tasks=100,
                max_concurrent_activities=100,
            )
            async with ours, theirs:
                ring = Ring(client, loaded, rounds)
                rows = [line for name in only or GROUPS for line in await GROUPS[name](ring)]
    show(rows)
    return all(line.holds for line in rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", action="append", choices=tuple(GROUPS), default=[])
    parser.add_argument("--storage", choices=tuple(STORAGES), default="journal")
    chosen = parser.parse_args()
    sys.exit(0 if asyncio.run(main(chosen.rounds, chosen.only, chosen.storage)) else 1)

"""The two workers of `benchmarks.overhead`, each in a process of its own: the product's, and one of plain temporalio.

Each serves the task queue of its name. It says when it polls, and then answers what it has used whenever it is asked:
CPU seconds of all its threads, those of the SDK's core with them, and resident memory.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Final

from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.outbound import open_client
from activities.registry import temporal_activities
from activities.resources import Resources
from benchmarks.child_process import lines_from_stdin, resident_kilobytes, say
from benchmarks.contestants import HAND, library
from workers.worker import WorkerLimits, make_worker

PRODUCT: Final = "product"
BY_HAND: Final = "by-hand"


def product(client: Client, resources: Resources) -> Worker:
    """Return the worker as `saga worker` has it."""
    loaded = library()
    return make_worker(client, lambda: loaded, resources, PRODUCT, limits=WorkerLimits())


def by_hand(client: Client, resources: Resources) -> Worker:
    """Return a worker of plain temporalio with the same limits."""
    return Worker(
        client,
        task_queue=BY_HAND,
        workflows=HAND,
        activities=temporal_activities(resources),
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_cached_workflows=2000,
        max_concurrent_workflow_tasks=100,
        max_concurrent_activities=100,
    )


def memory() -> float:
    """Return the KB of resident memory, without what only waits to be collected."""
    gc.collect()
    return resident_kilobytes()


WORKERS: Final[Mapping[str, Callable[[Client, Resources], Worker]]] = {PRODUCT: product, BY_HAND: by_hand}
QUESTIONS: Final[Mapping[str, Callable[[], float]]] = {"cpu": time.process_time, "memory": memory}


async def main(name: str) -> None:
    """Work until stdin is closed; the first line is the server's address."""
    lines = await lines_from_stdin()
    client = await Client.connect(json.loads(await lines.readline()))
    async with open_client() as http, WORKERS[name](client, Resources(http=http)):
        say({"ready": True})
        while line := await lines.readline():
            say({"value": QUESTIONS[json.loads(line)]()})


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

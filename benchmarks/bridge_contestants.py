"""The two contestants of `benchmarks.bridge`, each in a process of its own: a bridge, and a consumer written by hand.

Both are told their turns as JSON lines on stdin and answer on stdout. A turn begins with the first message in hand and
ends with the last one acknowledged; connecting and declaring come before and do not count. The bridge is the product
as `saga bridge` runs it: with deduplication, schemas, the event log, and a line of log for each event. The consumer
by hand does the least that can be done: decode, start the run, acknowledge.
"""

from __future__ import annotations

import asyncio
import json
import logging
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import aio_pika
from aio_pika.abc import AbstractIncomingMessage
from temporalio.client import Client

from activities.registry import catalog
from benchmarks.child_process import lines_from_stdin, resident_kilobytes, say
from bridge.bridge import running_bridge
from bridge.metrics import Metrics
from bridge.outcomes import Outcome
from bridge.schemas.registry import load_schemas
from bridge.settings import BridgeSettings
from bridge.surroundings import Surroundings, Watchers
from store.database import open_database
from workers.telemetry import configure_logging
from workflows.language.compiler import compile_sources
from workflows.language.library import Library

TASK_QUEUE: Final = "bench"
HAND_QUEUE: Final = "by-hand"
PREFETCH: Final = 50
UNTIL_STOPPED: Final = 0
_DEFINITION = """\
id: bench
version: 1.0.0
triggers:
  - event: bench.order
    start: {key: "${ event.data.order_id }", input: "${ event.data }"}
steps:
  - {id: only, action: data.transform, with: {value: "${ input.total }"}}
"""


@dataclass(frozen=True)
class Services:
    """Where everything is, and the folder whose `events/` has the schemas."""

    amqp_url: str
    database_url: str
    temporal: str
    definitions: str


@dataclass(frozen=True)
class Turn:
    """What to do.

    Attributes:
        count: Messages; `UNTIL_STOPPED` = as many as there are until the next line.
        concurrency: Requests to Temporal in flight at most; the bridge's alone.
        follow: Whether the result is to hold the id of each event with its moment.
    """

    count: int
    concurrency: int = BridgeSettings.concurrency
    follow: bool = False


@dataclass
class Result:
    """What came of a turn.

    Attributes:
        handled: Messages that were acknowledged.
        seconds: From the first in hand to the last acknowledged.
        cpu_seconds: What this process used meanwhile, in all its threads.
        ages: For each start, the seconds from its publication until Temporal had accepted it.
        memory_mib: Resident memory at a tenth, a half and all of the count.
        peak_mib: The most that it ever was.
        moments: Ids and the seconds at which they were acknowledged, where the turn asks for it.
    """

    handled: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    ages: list[float] = field(default_factory=list)
    memory_mib: list[float] = field(default_factory=list)
    peak_mib: float = 0.0
    moments: list[tuple[str, float]] = field(default_factory=list)


class Watch(Metrics):
    """Takes the time of a turn; stands where the bridge's metrics are, which know when Temporal had accepted."""

    def __init__(self, turn: Turn) -> None:
        """Wait for the first message."""
        super().__init__()
        self.result, self.over = Result(), asyncio.Event()
        self._turn, self._began, self._cpu = turn, 0.0, 0.0

    def begin(self) -> None:
        """A message is in hand."""
        if not self._began:
            self._began, self._cpu = time.perf_counter(), time.process_time()

    def dispatched_after(self, waited: timedelta) -> None:
        """Temporal has accepted what an event asked for."""
        self.result.ages.append(waited.total_seconds())

    def acknowledged(self, event_id: str) -> None:
        """A message is done with."""
        result, count = self.result, self._turn.count
        result.handled += 1
        result.seconds = time.perf_counter() - self._began
        result.cpu_seconds = time.process_time() - self._cpu
        if self._turn.follow:
            result.moments.append((event_id, result.seconds))
        if result.handled in (count // 10, count // 2, count):
            result.memory_mib.append(resident_kilobytes() / 1024)
        if result.handled == count:
            self.over.set()


async def product(services: Services, turn: Turn, watch: Watch, ready: Callable[[], None]) -> None:
    """Run a bridge for one turn."""
    loaded, schemas = library(), load_schemas(Path(services.definitions))

    def asked() -> Library:
        watch.begin()
        return loaded

    def told(outcome: Outcome) -> None:
        watch.acknowledged(str(outcome.event_id))

    settings = BridgeSettings(task_queue=TASK_QUEUE, prefetch=PREFETCH, concurrency=turn.concurrency)
    client = await Client.connect(services.temporal)
    async with open_database(services.database_url) as database:
        around = Surroundings(services.amqp_url, client, database, asked, schemas.check, watch)
        async with running_bridge(around, settings, Watchers(told)):
            ready()
            await watch.over.wait()


async def by_hand(services: Services, _: Turn, watch: Watch, ready: Callable[[], None]) -> None:
    """Start a workflow for each message, and acknowledge; nothing else."""
    client = await Client.connect(services.temporal)

    async def take(message: AbstractIncomingMessage) -> None:
        watch.begin()
        event = json.loads(message.body)
        order = event["data"]
        await client.start_workflow("bench", order, id=f"hand-{order['order_id']}", task_queue=TASK_QUEUE)
        watch.dispatched_after(datetime.now(UTC) - datetime.fromisoformat(event["timestamp"]))
        await message.ack()
        watch.acknowledged(event["event_id"])

    async with await aio_pika.connect(services.amqp_url) as connection, connection.channel() as channel:
        await channel.set_qos(prefetch_count=PREFETCH)
        queue = await channel.get_queue(HAND_QUEUE)
        await queue.consume(take)
        ready()
        await watch.over.wait()


CONTESTANTS: Final = {"product": product, "by-hand": by_hand}


def library() -> Library:
    """Compile the definition that both start."""
    compilation = compile_sources({"bench.yaml": _DEFINITION}, catalog())
    if compilation.library is None:
        raise SystemExit("\n".join(str(diagnostic) for diagnostic in compilation.diagnostics))
    return compilation.library


async def main(name: str) -> None:
    """Take turns until stdin is closed; the first line says where the services are."""
    lines = await lines_from_stdin()
    services = Services(**json.loads(await lines.readline()))
    while line := await lines.readline():
        turn = Turn(**json.loads(line))
        watch = Watch(turn)
        stopping = asyncio.create_task(_stopped(lines, watch)) if turn.count == UNTIL_STOPPED else None
        await CONTESTANTS[name](services, turn, watch, lambda: say({"ready": True}))
        if stopping is not None:
            await stopping
        watch.result.peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        say(asdict(watch.result))


async def _stopped(lines: asyncio.StreamReader, watch: Watch) -> None:
    await lines.readline()
    watch.over.set()


if __name__ == "__main__":
    configure_logging("json", logging.INFO, sys.stderr)
    asyncio.run(main(sys.argv[1]))

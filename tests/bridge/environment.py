"""The environment of bridge tests: hand-written workflows, definitions that start them, and a ledger of all runs."""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from temporalio import workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.common import RawValue
from temporalio.worker import Worker

from bridge.amqp.publisher import open_publisher
from bridge.bridge import Bridge, running_bridge
from bridge.metrics import Metrics
from bridge.outcomes import Dispatched, Effect, Outcome, Refused
from bridge.replay_mark import MEMBER, ReplayMark
from bridge.retry import Progress, begin
from bridge.settings import BridgeSettings
from bridge.surroundings import Surroundings, Watchers, any_event
from contracts.envelope import Event
from contracts.json import Json
from store import dead_letters
from store.database import Database, open_database
from store.dead_letters import StoredLetter
from store.replays import Reached, ReplayRecord, begin_replay
from tests.bridge.library import definition, library, on, template
from tests.support.bus import TOPOLOGY
from tests.support.waiting import PATIENCE_SECONDS, eventually
from workflows.language.library import Library
from workflows.language.triggers import Cancel, Signal, Start

KEY = template("${ event.data.id }")

LIBRARY = library(
    definition("quick", on("quick.*", Start(KEY)), on("bad.trigger", Start(KEY), when="event.data.missing > 1")),
    definition(
        "patient",
        on("patient.begin", Start(KEY)),
        on("patient.only", Start(KEY, if_running="fail")),
        on("patient.again", Start(KEY, if_running="terminate")),
        on("patient.join", Start(KEY, if_running="signal")),
        on("patient.note", Signal(KEY, "note")),
        on("patient.hint", Signal(KEY, "note", if_missing="drop")),
        on("patient.visit", Signal(KEY, "note", if_missing="start")),
        on("patient.end", Cancel(KEY)),
        on("bad.trigger", Start(KEY)),
    ),
)


_RUNS: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
"""Workflow and run ids that really began, by task queue; workflows cannot reach a test's own objects."""


class Outcomes(list[Outcome]):
    """The outcomes that bridges report, and a way to wait for so many."""

    def __init__(self) -> None:
        super().__init__()
        self._more = asyncio.Event()

    def add(self, outcome: Outcome) -> None:
        """Add an outcome that a bridge reports."""
        self.append(outcome)
        self._more.set()

    async def until(self, count: int, within_seconds: float = PATIENCE_SECONDS) -> None:
        """Wait for so many in all."""
        async with asyncio.timeout(within_seconds):
            while len(self) < count:
                self._more.clear()
                await self._more.wait()

    @property
    def effects(self) -> list[str]:
        """Kinds of effects, in order."""
        return [effect.kind for effect in self._effects()]

    @property
    def run_ids(self) -> set[str]:
        """The runs that the outcomes name."""
        return {effect.run_id for effect in self._effects() if effect.run_id is not None}

    def _effects(self) -> list[Effect]:
        results = [outcome.result for outcome in self]
        return [effect for one in results if isinstance(one, Dispatched | Refused) for effect in one.effects]


@dataclass
class BridgeEnvironment:
    """One test's worker, task queue and vhost."""

    client: Client
    amqp_url: str
    database: Database
    database_url: str
    task_queue: str
    outcomes: Outcomes = field(default_factory=Outcomes)

    def settings(self, **changes: Any) -> BridgeSettings:
        """Settings of this environment: with few partitions, because each is a queue to declare."""
        return BridgeSettings(task_queue=self.task_queue, **({"topology": TOPOLOGY} | changes))

    def bridge(
        self,
        *,
        url: str | None = None,
        client: Client | None = None,
        database: Database | None = None,
        check: Callable[[Event], None] | None = None,
        reached: Callable[[str], None] | None = None,
        loaded: Library = LIBRARY,
        metrics: Metrics | None = None,
        **changes: Any,
    ) -> AbstractAsyncContextManager[Bridge]:
        """Run a bridge that reports to `outcomes`."""
        around = Surroundings(
            url or self.amqp_url,
            client or self.client,
            database or self.database,
            lambda: loaded,
            check or any_event,
            metrics or Metrics(),
        )
        watchers = Watchers(self.outcomes.add, reached or _pass)
        return running_bridge(around, self.settings(**changes), watchers)

    async def letters(self, count: int) -> list[StoredLetter]:
        """Wait for so many dead letters and return all there are, in the order in which they came."""
        found: list[StoredLetter] = []

        async def there() -> bool:
            found[:] = await dead_letters.page(self.database)
            return len(found) >= count

        await eventually(there)
        return found

    async def letter(self) -> StoredLetter:
        """Wait for the dead letter and return it; it is the only one."""
        [letter] = await self.letters(1)
        return letter

    async def retry(self, *letters: StoredLetter) -> Progress:
        """Retry these letters as `saga dlq retry` does."""

        async def page() -> AsyncIterator[Sequence[StoredLetter]]:
            yield letters

        async with open_publisher(self.amqp_url, topology=TOPOLOGY) as publisher:
            retry = await begin(self.database)
            await retry.run(page(), publisher)
        return retry.progress

    async def replay_mark(self, *, again: bool = False) -> dict[str, Json]:
        """Put a replay on record, and return what its events have in their metadata."""
        record = ReplayRecord(uuid.uuid4(), {"again": again}, "running", "0", 0, Reached())
        await begin_replay(self.database, record)
        return {MEMBER: ReplayMark(record.id, again, datetime.now(UTC).date()).to_json()}

    def key(self) -> str:
        """Make a key that no other test has."""
        return uuid.uuid4().hex

    def run(self, workflow_id: str) -> WorkflowHandle[Any, Any]:
        """The latest run with this workflow id."""
        return self.client.get_workflow_handle(workflow_id)

    async def begun(self, workflow_ids: Iterable[str]) -> None:
        """Wait until all these runs have begun."""
        wanted = set(workflow_ids)

        async def all_there() -> bool:
            # Workers in threads add to it meanwhile.
            return wanted <= {workflow_id for workflow_id, _ in _RUNS[self.task_queue].copy()}

        await eventually(all_there)

    async def notes(self, key: str) -> list[Any]:
        """Wait for the patient run with this key and return the signals that it received."""
        await self.begun([f"patient/{key}"])
        return [note[0] for note in await self.run(f"patient/{key}").result()]

    async def finished_once(self, workflow_id: str) -> None:
        """Wait until a run has begun and ended, and hold that it was the only one."""
        await self.begun([workflow_id])
        assert await self.finished(workflow_id) == 1

    async def finished(self, workflow_id: str) -> int:
        """Wait for the latest run with this id and return how many there ever were."""
        await self.run(workflow_id).result()
        return len([run for run in _RUNS[self.task_queue] if run[0] == workflow_id])


def _pass(_: str) -> None:
    """Do nothing at this crash point."""


def _note_run() -> None:
    info = workflow.info()
    _RUNS[info.task_queue].add((info.workflow_id, info.run_id))


@workflow.defn(name="quick", sandboxed=False)
class Quick:
    """Ends at once with its input."""

    @workflow.run
    async def run(self, data: Any) -> Any:
        """Note the run."""
        _note_run()
        return data


@workflow.defn(name="patient", sandboxed=False)
class Patient:
    """Collects signals until one says end."""

    def __init__(self) -> None:
        """Begin without notes."""
        self.notes: list[Any] = []

    @workflow.run
    async def run(self, data: Any) -> Any:
        """Note the run and wait."""
        _note_run()
        await workflow.wait_condition(lambda: any(note[0] == "end" for note in self.notes))
        return self.notes

    @workflow.signal(dynamic=True)
    async def note(self, name: str, arguments: Sequence[RawValue]) -> None:
        """Keep the value, the name of the signal, and the event that it came from."""
        data, origin = (workflow.payload_converter().from_payload(value.payload) for value in arguments)
        self.notes.append([data["say"], name, origin["message_id"], origin["event"]["type"]])


@asynccontextmanager
async def open_environment(client: Client, amqp_url: str, database_url: str) -> AsyncIterator[BridgeEnvironment]:
    """Run the worker inside the block."""
    queue = f"bridge-{uuid.uuid4().hex}"
    async with (
        open_database(database_url) as database,
        Worker(client, task_queue=queue, workflows=[Quick, Patient]),
    ):
        yield BridgeEnvironment(client, amqp_url, database, database_url, queue)

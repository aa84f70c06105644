"""A world for the bridge: hand-written workflows, a library that starts them, and a ledger of what really ran."""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from temporalio import workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.common import RawValue
from temporalio.worker import Worker

from bridge.bridge import Bridge, running_bridge
from bridge.outcomes import Dispatched, Effect, Outcome, Refused
from bridge.settings import BridgeSettings
from tests.bridge.library import definition, library, on, template
from tests.bridge.waiting import eventually
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
    """The outcomes that bridges tell, and a way to wait for so many."""

    def __init__(self) -> None:
        super().__init__()
        self._more = asyncio.Event()

    def add(self, outcome: Outcome) -> None:
        """Be told one."""
        self.append(outcome)
        self._more.set()

    async def until(self, count: int) -> None:
        """Wait for so many in all."""
        async with asyncio.timeout(60):
            while len(self) < count:
                self._more.clear()
                await self._more.wait()

    @property
    def effects(self) -> list[str]:
        """Kinds of effects, in order."""
        return [effect.kind for effect in self._effects()]

    @property
    def run_ids(self) -> set[str]:
        """The runs that bridges were told of."""
        return {effect.run_id for effect in self._effects() if effect.run_id is not None}

    def _effects(self) -> list[Effect]:
        results = [outcome.result for outcome in self]
        return [effect for one in results if isinstance(one, Dispatched | Refused) for effect in one.effects]


@dataclass
class World:
    """One test's worker, task queue and vhost."""

    client: Client
    amqp_url: str
    task_queue: str
    outcomes: Outcomes = field(default_factory=Outcomes)

    def settings(self, **changes: Any) -> BridgeSettings:
        """Settings of this world."""
        return BridgeSettings(task_queue=self.task_queue, **changes)

    def bridge(
        self,
        *,
        url: str | None = None,
        client: Client | None = None,
        reached: Callable[[str], None] | None = None,
        loaded: Library = LIBRARY,
        **changes: Any,
    ) -> AbstractAsyncContextManager[Bridge]:
        """Run a bridge that tells `outcomes`."""
        return running_bridge(
            url or self.amqp_url,
            client or self.client,
            lambda: loaded,
            self.settings(**changes),
            on_outcome=self.outcomes.add,
            reached=reached,
        )

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
            return wanted <= {workflow_id for workflow_id, _ in _RUNS[self.task_queue]}

        await eventually(all_there)

    async def finished(self, workflow_id: str) -> int:
        """Wait for the latest run with this id and return how many there ever were."""
        await self.run(workflow_id).result()
        return len([run for run in _RUNS[self.task_queue] if run[0] == workflow_id])


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
        """Keep what was said, by which signal, and the event that said it."""
        data, origin = (workflow.payload_converter().from_payload(value.payload) for value in arguments)
        self.notes.append([data["say"], name, origin["message_id"], origin["event"]["type"]])


@asynccontextmanager
async def open_world(client: Client, amqp_url: str) -> AsyncIterator[World]:
    """Run the worker inside the block."""
    world = World(client, amqp_url, f"bridge-{uuid.uuid4().hex}")
    async with Worker(client, task_queue=world.task_queue, workflows=[Quick, Patient]):
        yield world

"""A worker for tests: the product's workflow classes with test actions that write down what they did."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from contracts.problems import Problem
from workers.worker import hosting_runs
from workflows.language.library import Library
from workflows.temporal.classes import workflow_classes
from workflows.temporal.course import Sink
from workflows.temporal.interceptor import ShellInterceptor

_SHORT = timedelta(milliseconds=50)
BROKEN = Problem("broken", "It broke", 409, "As it was told to.")


@dataclass
class Ledger:
    """What the test actions did, in order: `action step`.

    Attributes:
        keys: The idempotency keys of each step, one for each time it was carried out.
        given: What they were given.
        refusals: How often `flaky` still refuses.
        is_mended: Whether what hangs or refuses does no longer.
    """

    lines: list[str] = field(default_factory=list)
    hanging: asyncio.Event = field(default_factory=asyncio.Event)
    keys: dict[str, list[str]] = field(default_factory=dict)
    given: list[Any] = field(default_factory=list)
    refusals: int = 0
    is_mended: bool = False

    def activities(self) -> list[Callable[..., Any]]:
        """The test actions."""
        steady = [self._note(), self._undo(), self._refuse(), self._hang(), self._foreign()]
        return [*steady, self._flaky(), self._refuse_once_hanging()]

    def write(self, action: str, context: dict[str, Any], given: Any = None) -> None:
        """Write down that `action` was carried out."""
        self.lines.append(f"{action} {context['step']}")
        self.keys.setdefault(context["step"], []).append(context["idempotency_key"])
        self.given.append(given)

    def _note(self) -> Callable[..., Any]:
        @activity.defn(name="note")
        async def note(given: Any, context: Any) -> Any:
            self.write("note", context)
            return {"given": given, "key": context["idempotency_key"], "cause": context.get("correlation_id")}

        return note

    def _undo(self) -> Callable[..., Any]:
        @activity.defn(name="undo")
        async def undo(given: Any, context: Any) -> Any:
            self.write("undo", context)

        return undo

    def _refuse(self) -> Callable[..., Any]:
        @activity.defn(name="refuse")
        async def refuse(given: Any, context: Any) -> Any:
            self.write("refuse", context)
            raise ApplicationError(BROKEN.title, BROKEN.to_json(), type=BROKEN.type, non_retryable=True)

        return refuse

    def _foreign(self) -> Callable[..., Any]:
        @activity.defn(name="foreign")
        async def foreign(given: Any, context: Any) -> Any:
            raise ValueError("not one of ours")

        return foreign

    def _flaky(self) -> Callable[..., Any]:
        @activity.defn(name="flaky")
        async def flaky(given: Any, context: Any) -> Any:
            self.write("flaky", context, given)
            if self.refusals > 0:
                self.refusals -= 1
                raise ApplicationError(BROKEN.title, BROKEN.to_json(), type=BROKEN.type, non_retryable=True)

        return flaky

    def _refuse_once_hanging(self) -> Callable[..., Any]:
        @activity.defn(name="refuse_once_hanging")
        async def refuse(given: Any, context: Any) -> Any:
            self.write("mended" if self.is_mended else "refuse", context)
            if not self.is_mended:
                await self.hanging.wait()
                raise ApplicationError(BROKEN.title, BROKEN.to_json(), type=BROKEN.type, non_retryable=True)

        return refuse

    def _hang(self) -> Callable[..., Any]:
        @activity.defn(name="hang")
        async def hang(given: Any, context: Any) -> Any:
            self.write("hang", context)
            self.hanging.set()
            while not self.is_mended:
                activity.heartbeat()
                await asyncio.sleep(0.05)

        return hang


@dataclass
class Host:
    """A running worker."""

    client: Client
    queue: str
    ledger: Ledger
    library: Library

    async def execute(self, workflow: str, *values: Any, **more: Any) -> Any:
        """Start a run as the temporal CLI does, without a pin, and return its result."""
        return await (await self.start(workflow, *values, **more)).result()

    async def start(self, workflow: str, *values: Any, **more: Any) -> Any:
        """Start a run as the temporal CLI does, without a pin."""
        identity = more.pop("id", f"{workflow}/{uuid.uuid4().hex}")
        return await self.client.start_workflow(workflow, args=values, id=identity, task_queue=self.queue, **more)


@asynccontextmanager
async def hosting(
    client: Client,
    library: Library,
    *,
    queue: str | None = None,
    continue_after: int | None = None,
    sink: Sink | None = None,
    later: Callable[[], Library] | None = None,
    cached: int = 1000,
) -> AsyncIterator[Host]:
    """Run a worker inside the block; `later` gives the library from then on, if it changes."""
    ledger = Ledger()
    host = Host(client, queue or f"q{uuid.uuid4().hex[:8]}", ledger, library)
    host_source = later or (lambda: library)
    async with hosting_runs(
        client,
        task_queue=host.queue,
        workflows=workflow_classes(host_source, continue_after=continue_after),
        activities=ledger.activities(),
        interceptors=[ShellInterceptor(sink)],
        max_cached_workflows=cached,
        max_heartbeat_throttle_interval=_SHORT,
        default_heartbeat_throttle_interval=_SHORT,
    ):
        yield host

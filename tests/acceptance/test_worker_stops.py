"""`saga worker` is stopped by SIGTERM in the middle of an action that may be tried once.

The action calls a server of the test's, which answers when the test lets it. What ends within the grace is told; what
does not is no attempt, and the next worker goes on with it; a POST that may have been carried out is not sent again.
"""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle

from cli.stack.events import Service
from tests.acceptance.processes import ProcessSettings, running
from tests.acceptance.processes import Service as Process
from tests.activities.server import Answer, Asked, HttpServer, serving
from tests.support.waiting import eventually

pytestmark = pytest.mark.fault

DEFINITION = """
id: stopping
version: 1.0.0
steps:
  - id: call
    action: http.request
    with: {url: "${ input.url }/done", method: "${ input.method }"}
    retry: {attempts: 1}
    compensate: {action: http.request, with: {url: "${ input.url }/undone", method: DELETE}}
  - {id: rest, type: set, vars: {status: "${ steps.call.output.status }"}}
output: ${ vars.status }
"""


class Gate:
    """Answers the first request when it is opened, and every other at once."""

    def __init__(self, server: HttpServer) -> None:
        """Stand in front of `server`."""
        self.open = threading.Event()
        self._server = server
        server.answer = self._answer

    @property
    def asked(self) -> list[tuple[str, str]]:
        """Method and path of each request so far."""
        return [(asked.method, asked.path) for asked in self._server.asked]

    async def was_asked(self) -> bool:
        """Tell whether a request has come."""
        return bool(self.asked)

    def _answer(self, asked: Asked) -> Answer:
        if len(self.asked) == 1:
            self.open.wait()
        return Answer(204)


@contextmanager
def gated() -> Iterator[tuple[HttpServer, Gate]]:
    """Run a server with a gate inside the block."""
    with serving() as server:
        gate = Gate(server)
        try:
            yield server, gate
        finally:
            gate.open.set()


@pytest.fixture
def settings(tmp_path: Path, temporal_service: Service, postgres_url: str, amqp_url: str) -> ProcessSettings:
    """The shared servers with a task queue and a definition of the test's own."""
    folder = tmp_path / "definitions"
    folder.mkdir()
    (folder / "stopping.yaml").write_text(DEFINITION, encoding="utf-8")
    extra = {"SAGA_ALLOWED_NETWORKS": "127.0.0.0/8", "SAGA_GRACE": "0s"}
    queue = f"stops-{uuid.uuid4().hex[:8]}"
    return ProcessSettings(tmp_path, temporal_service.url, postgres_url, amqp_url, queue, folder, extra=extra)


async def start(settings: ProcessSettings, url: str, method: str) -> WorkflowHandle[Any, Any]:
    """Start the run."""
    client = await Client.connect(settings.temporal)
    given = {"url": url, "method": method}
    return await client.start_workflow(
        "stopping", given, id=f"stopping/{settings.task_queue}", task_queue=settings.task_queue
    )


async def stop_in_the_middle(worker: Process, gate: Gate) -> asyncio.Task[None]:
    """Send SIGTERM once the action has sent its request; return when the worker has begun to stop."""
    await eventually(gate.was_asked)
    stopping = asyncio.create_task(worker.stop())

    async def has_begun() -> bool:
        return "Beginning worker shutdown" in worker.log.read_text(encoding="utf-8")

    await eventually(has_begun)
    return stopping


async def test_action_that_ends_within_the_grace_is_told(settings: ProcessSettings) -> None:
    """The worker takes nothing more, waits for the answer, and ends; the next one goes on behind the step."""
    patient = replace(settings, extra={**settings.extra, "SAGA_GRACE": "10m"})
    with gated() as (server, gate):
        run = await start(settings, server.url, "GET")
        async with running(patient, "worker", "first") as worker:
            stopping = await stop_in_the_middle(worker, gate)
            assert not stopping.done()
            gate.open.set()
            await stopping
        async with running(settings, "worker", "second"):
            assert await run.result() == 204
        assert gate.asked == [("GET", "/done")]


async def test_action_that_does_not_end_within_the_grace_is_carried_out_by_the_next_worker(
    settings: ProcessSettings,
) -> None:
    """The stop is no attempt of its only one."""
    with gated() as (server, gate):
        run = await start(settings, server.url, "GET")
        async with running(settings, "worker", "first") as worker:
            await (await stop_in_the_middle(worker, gate))
        async with running(settings, "worker", "second"):
            assert await run.result() == 204
        assert gate.asked == [("GET", "/done"), ("GET", "/done")]


async def test_post_that_was_cut_off_is_not_sent_again_and_is_undone(settings: ProcessSettings) -> None:
    """It may have been carried out: the step fails with that outcome, and the run takes it back."""
    with gated() as (server, gate):
        run = await start(settings, server.url, "POST")
        async with running(settings, "worker", "first") as worker:
            await (await stop_in_the_middle(worker, gate))
        async with running(settings, "worker", "second"):
            with pytest.raises(WorkflowFailureError) as caught:
                await run.result()
        assert "Not sent again" in str(caught.value.cause)
        assert gate.asked == [("POST", "/done"), ("DELETE", "/undone")]

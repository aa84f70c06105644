"""A worker that runs the shipped definitions with the real actions, on a real server and a real database."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError

from activities.resources import Resources
from tests.definitions.shipped import shipped
from workers.worker import make_worker

Run = WorkflowHandle[Any, Any]


@dataclass(frozen=True)
class Host:
    """A running worker, and how tests start runs on it."""

    client: Client
    queue: str

    async def start(self, definition: str, given: Any) -> Run:
        """Start a run as the `temporal` CLI does."""
        identity = f"{definition}/{uuid.uuid4().hex}"
        return await self.client.start_workflow(definition, given, id=identity, task_queue=self.queue)

    async def execute(self, definition: str, given: Any) -> Any:
        """Start a run and return its result."""
        return await (await self.start(definition, given)).result()

    async def failure(self, definition: str, given: Any) -> ApplicationError:
        """Start a run that fails and return its error."""
        return await failure_of(await self.start(definition, given))


@asynccontextmanager
async def hosting(client: Client, resources: Resources) -> AsyncIterator[Host]:
    """Run the product's worker inside the block."""
    library, queue = shipped(), f"definitions-{uuid.uuid4().hex[:8]}"
    async with make_worker(client, lambda: library, resources, queue):
        yield Host(client, queue)


async def failure_of(run: Run) -> ApplicationError:
    """Wait for the run to fail and return its error."""
    with pytest.raises(WorkflowFailureError) as caught:
        await run.result()
    assert isinstance(caught.value.cause, ApplicationError)
    return caught.value.cause


async def waiting(run: Run) -> dict[str, Any]:
    """Return the approval that waits, once there is one."""
    found: list[dict[str, Any]] = []
    while not found:
        found = await run.query("approvals")
    return found[0]

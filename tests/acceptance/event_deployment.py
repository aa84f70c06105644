"""A worker and a bridge that run the definitions in `event_definitions/`, and the clients with which tests use them.

Several tests share it, so each test uses its own keys and looks only for these. Events are published as foreign
producers write them; their outcome is read from the event log, from Temporal and from a queue of the test's own.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aio_pika.abc import AbstractIncomingMessage
from temporalio.client import Client, WorkflowHandle

from contracts.names import EXCHANGE_EVENTS
from store.database import Database
from store.event_reader import Logged, find
from tests.acceptance.processes import ProcessSettings, Service
from tests.support.bus import Bus
from tests.support.waiting import eventually

DEFINITIONS = Path(__file__).with_name("event_definitions")
SECRET = "no secret of anybody"  # noqa: S105 - it guards nothing


@dataclass(frozen=True)
class EventDeployment:
    """The settings of the two processes, the processes, and the clients with which tests use them."""

    settings: ProcessSettings
    client: Client
    database: Database
    bus: Bus
    worker: Service
    bridge: Service

    def run(self, workflow_id: str) -> WorkflowHandle[Any, Any]:
        """The latest run with this workflow id."""
        return self.client.get_workflow_handle(workflow_id)

    async def executions(self, workflow_id: str) -> int:
        """Count the runs that there ever were with this workflow id."""
        return (await self.client.count_workflows(f"WorkflowId = '{workflow_id}'")).count

    async def wait_for_executions(self, workflow_id: str, executions: int = 1) -> None:
        """Wait until so many runs have begun; more are a failure."""

        async def so_many() -> bool:
            count = await self.executions(workflow_id)
            assert count <= executions, f"{count} runs of {workflow_id}"
            return count == executions

        await eventually(so_many)

    async def result(self, workflow_id: str) -> Any:
        """Wait for the only run with this workflow id, and return its result."""
        await self.wait_for_executions(workflow_id)
        return await self.run(workflow_id).result()

    async def wait_for_outcome(self, event_id: str, outcome: str) -> Logged:
        """Wait until the event log has this outcome for an event."""
        found: list[Logged] = []

        async def so() -> bool:
            found[:] = [row for row in await find(self.database, event_id) if row.outcome == outcome]
            return bool(found)

        await eventually(so)
        return found[0]

    async def bind_queue(self, pattern: str) -> str:
        """Declare a queue for the events that are published from now on, and return its name."""
        return await bind_queue(self.bus, pattern)

    async def receive_about(self, queue: str, key: str) -> tuple[AbstractIncomingMessage, Any]:
        """Wait for the message of a structured CloudEvent with this id in its data; other messages are dropped."""
        while True:
            message = await self.bus.take(queue)
            document = json.loads(message.body)
            if document["data"]["id"] == key:
                return message, document


async def bind_queue(bus: Bus, pattern: str) -> str:
    """Declare a durable queue, bind it to events of these types, and return its name."""
    queue = await bus.channel.declare_queue(f"test-{uuid.uuid4().hex[:8]}", durable=True)
    await queue.bind(EXCHANGE_EVENTS, pattern)
    return queue.name


def key() -> str:
    """Make a key that no other test has."""
    return uuid.uuid4().hex

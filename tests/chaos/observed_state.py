"""The observed state, read from Temporal, PostgreSQL and RabbitMQ, whatever the bridge says of itself."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import LiteralString

from aio_pika.exceptions import AMQPError
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError

from bridge.amqp.connection import LOST_WHILE_OPENING
from bridge.topology.layout import layout, partitions
from bridge.topology.names import INBOX, UNROUTED
from contracts.errors import SagaError
from store.database import Database
from tests.chaos.bridge_processes import BridgeProcesses
from tests.chaos.message_sequences import RunsEnded
from tests.support.bus import TOPOLOGY, open_bus

UNAVAILABLE = (RPCError, SagaError, AMQPError, RuntimeError, *LOST_WHILE_OPENING)
"""Errors of a server that cannot be reached now."""

_EVENTS = "select event_id, outcome from saga.events"
_LETTERS = "select properties->>'message_id' as message_id, count(*) as number from saga.dead_letters group by 1"
_HANDLED = "select count(*) as number from saga.seen_events where handled"
_OUTBOX = "select count(*) as number from saga.outbox"
_HELD = "select count(*) as number from saga.held_events"
_SOME_TIME = timedelta(days=7)


@dataclass(frozen=True)
class ObservedState:
    """What is there now.

    Attributes:
        runs: Run ids by workflow id.
        signals: What each patient run that has ended received, by run id.
        letters: Dead letters by message id.
        outcomes: What the event log says, by event id.
    """

    runs: Mapping[str, list[str]]
    signals: Mapping[str, list[str]]
    letters: Mapping[str, int]
    outcomes: Mapping[str, str | None]


@dataclass
class StateReader:
    """Reads it for one environment."""

    client: Client
    database: Database
    amqp_url: str
    bridges: BridgeProcesses
    _signal_values: dict[str, list[str]] = field(default_factory=dict)

    async def read(self) -> ObservedState:
        """Read all; raises one of `UNAVAILABLE` while a server cannot be reached."""
        runs: defaultdict[str, list[str]] = defaultdict(list)
        async for each in self.client.list_workflows(f"TaskQueue = '{self.bridges.task_queue}'", page_size=1_000):
            runs[each.id].append(each.run_id)
            if each.id.startswith("patient/") and each.status == WorkflowExecutionStatus.COMPLETED:
                await self._read_signals(each.id, each.run_id)
        letters = {row["message_id"]: row["number"] for row in await self.database.fetch(_LETTERS)}
        outcomes = {row["event_id"]: row["outcome"] for row in await self.database.fetch(_EVENTS)}
        return ObservedState(runs, dict(self._signal_values), letters, outcomes)

    async def ended(self, wanted: RunsEnded) -> None:
        """Wait until so many runs of a workflow id have ended."""
        await self.bridges.until(lambda: self.has_ended(wanted))

    async def has_ended(self, wanted: RunsEnded) -> bool:
        """Tell whether so many runs of a workflow id have ended; not, while Temporal cannot be asked."""
        done = WorkflowExecutionStatus.COMPLETED
        try:
            found = self.client.list_workflows(f"WorkflowId = '{wanted.workflow_id}'")
            return len([each async for each in found if each.status == done]) >= wanted.runs
        except RPCError:
            return False

    async def has_outcome(self, event_id: str) -> bool:
        """Tell whether an event was handled."""
        try:
            rows = await self.database.fetch(f"{_EVENTS} where event_id = $1", event_id)
        except SagaError:
            return False
        return any(row["outcome"] for row in rows)

    async def handled(self) -> int | None:
        """Return how many events have a recorded outcome; None while PostgreSQL cannot be reached."""
        try:
            return await self._number(_HANDLED)
        except SagaError:
            return None

    async def remaining(self) -> Mapping[str, int]:
        """Return what still waits, by place: queues, outbox, held messages."""
        remaining = Counter[str]()
        async with open_bus(self.amqp_url) as bus:
            for queue in layout(TOPOLOGY, ("#",), _SOME_TIME).queues:
                if queue.name != UNROUTED:
                    remaining[queue.name] = await bus.depth(queue.name)
        remaining["outbox"] = await self._number(_OUTBOX)
        remaining["held"] = await self._number(_HELD)
        return {place: number for place, number in remaining.items() if number}

    async def unconsumed(self) -> list[str]:
        """Return the queues that bridges take from and nobody consumes now; all, while the broker cannot be asked."""
        queues = (INBOX, *partitions(TOPOLOGY))
        try:
            async with open_bus(self.amqp_url) as bus:
                return [name for name in queues if not (await bus.queue(name)).declaration_result.consumer_count]
        except UNAVAILABLE:
            return list(queues)

    async def _number(self, query: LiteralString) -> int:
        return int((await self.database.fetch(query))[0]["number"])

    async def _read_signals(self, workflow_id: str, run_id: str) -> None:
        if run_id not in self._signal_values:
            self._signal_values[run_id] = await self.client.get_workflow_handle(workflow_id, run_id=run_id).result()

"""The environment of one scenario: its own virtual host, database and task queue, the worker, bridges, and ledger.

A scenario injects its faults inside `loading`; then `settle` waits until nothing is missing any more (or nothing
changes), stops the bridges gracefully, and compares the ledger with the observed state.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from temporalio.client import Client
from temporalio.worker import Worker

from store.database import open_database
from tests.chaos.bridge_processes import Addresses, BridgeProcesses
from tests.chaos.ledger import Findings, Ledger
from tests.chaos.library import Patient, Quick
from tests.chaos.message_sequences import SequenceGenerator
from tests.chaos.observed_state import UNAVAILABLE, ObservedState, StateReader
from tests.chaos.producers import Load, Sender, loading
from tests.chaos.size import SEED

_CHANGES = "create table if not exists public.changes (event_id text primary key)"
_STANDSTILL = 120.0
"""Seconds, fewer than a test may take: what is then missing is told, with its story. Nothing else is waited for."""
_POLL_SECONDS = 0.5


@dataclass
class ChaosEnvironment:
    """What a scenario runs on."""

    name: str
    amqp_url: str
    state_reader: StateReader
    bridges: BridgeProcesses
    ledger: Ledger
    probes: SequenceGenerator = field(init=False)
    _loads: int = 0

    def __post_init__(self) -> None:
        """Make the generator of probe events."""
        self.probes = SequenceGenerator(f"{self.name}-probe", self.ledger.seed)

    def loading(self, **changes: Any) -> AbstractAsyncContextManager[Load]:
        """Publish inside the block; arguments as for `producers.loading`."""
        self._loads += 1
        return loading(f"{self.name}-{self._loads}", self.amqp_url, self.state_reader, self.ledger, **changes)

    async def recovered(self) -> None:
        """Publish an urgent event, wait until it is handled, and note how long that took."""
        began = asyncio.get_running_loop().time()
        sequence = self.probes.probe()
        [event_id] = sequence.outcomes
        self.ledger.add(sequence)
        sender = Sender(self.amqp_url, self.state_reader.database, self.ledger)
        for publication in sequence.publications:
            await sender.send(publication)
        await sender.close()
        await self.bridges.until(lambda: self.state_reader.has_outcome(event_id))
        self.ledger.recoveries.append(asyncio.get_running_loop().time() - began)

    async def consumes_all(self) -> None:
        """Wait until every queue that bridges take from has a consumer, and note how long that took."""
        began = asyncio.get_running_loop().time()

        async def are_consumed() -> bool:
            return await self.state_reader.unconsumed() == []

        await self.bridges.until(are_consumed)
        self.ledger.consumed.append(asyncio.get_running_loop().time() - began)

    async def settle(self, standstill: float = _STANDSTILL) -> tuple[ObservedState, Findings]:
        """Wait until nothing is missing, or nothing moved for so many seconds; stop the bridges; compare."""
        await self.at_rest(standstill)
        for bridge in self.bridges.running:
            await bridge.stop()
        remaining = await self.state_reader.remaining()
        found = await self.state_reader.read()
        findings = self.ledger.compare(found)
        lost = [*findings.lost, *(f"{number} in {place} at the end" for place, number in remaining.items())]
        return found, replace(findings, lost=lost)

    async def check(self) -> None:
        """Settle, and hold that nothing is lost, there twice, or out of order."""
        found, findings = await self.settle()
        report = self.ledger.report(found, findings)
        assert findings.is_clean, "\n".join(
            [
                report,
                *(story for key in findings.keys for story in (self.ledger.story(key), self.bridges.story(key))),
                *(bridge.log_excerpt() for bridge in self.bridges.all[-2:]),
            ]
        )
        sys.stdout.write(f"\n{report}\n")

    async def at_rest(self, standstill: float = _STANDSTILL) -> None:
        """Wait until nothing is missing, or nothing moved for so many seconds."""
        clock = asyncio.get_running_loop().time
        latest, moved = None, clock()
        while clock() - moved < standstill:
            try:
                found = await self.state_reader.read()
                remaining = await self.state_reader.remaining()
            except UNAVAILABLE:
                moved = clock()
            else:
                if not self.ledger.compare(found).lost and not remaining:
                    return
                if (found, remaining) != latest:
                    latest, moved = (found, remaining), clock()
            await asyncio.sleep(_POLL_SECONDS)


@asynccontextmanager
async def open_environment(scenario: str, addresses: Addresses, folder: Path) -> AsyncIterator[ChaosEnvironment]:
    """Open an environment inside the block; its bridges are killed at the end."""
    name = uuid.uuid4().hex[:8]
    queue = f"chaos-{name}"
    client = await Client.connect(addresses.temporal)
    bridges = BridgeProcesses(addresses, queue, folder)
    try:
        async with (
            open_database(addresses.database) as database,
            Worker(client, task_queue=queue, workflows=[Quick, Patient]),
        ):
            await database.fetch(_CHANGES)
            state_reader = StateReader(client, database, addresses.amqp, bridges)
            yield ChaosEnvironment(name, addresses.amqp, state_reader, bridges, Ledger(scenario, SEED))
    finally:
        for bridge in bridges.all:
            await bridge.kill_if_running()

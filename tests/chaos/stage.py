"""One scenario's stage: its own virtual host, database and task queue, the worker, the bridges, and the books.

A scenario does its harm inside `loading`; then `settle` waits until nothing is missing any more (or nothing moves),
stops the bridges in good order, and holds the books against what there is.
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
from tests.chaos.bridges import Addresses, Bridges
from tests.chaos.ledger import Findings, Ledger
from tests.chaos.library import Patient, Quick
from tests.chaos.load import Load, Sender, loading
from tests.chaos.size import SEED
from tests.chaos.stories import Author
from tests.chaos.truth import AWAY, Found, Truth

_CHANGES = "create table if not exists public.changes (event_id text primary key)"
_STANDSTILL = 30.0
_LOOKS_EACH = 0.5


@dataclass
class Stage:
    """What a scenario plays on."""

    name: str
    amqp_url: str
    truth: Truth
    bridges: Bridges
    ledger: Ledger
    probes: Author = field(init=False)
    _loads: int = 0

    def __post_init__(self) -> None:
        """Make the author of probes."""
        self.probes = Author(f"{self.name}-probe", self.ledger.seed)

    def loading(self, **changes: Any) -> AbstractAsyncContextManager[Load]:
        """Publish inside the block; arguments as for `load.loading`."""
        self._loads += 1
        return loading(f"{self.name}-{self._loads}", self.amqp_url, self.truth, self.ledger, **changes)

    async def recovered(self) -> None:
        """Publish an urgent event, wait until it is handled, and note how long that took."""
        began = asyncio.get_running_loop().time()
        story = self.probes.probe()
        [event_id] = story.outcomes
        self.ledger.begins(story)
        sender = Sender(self.amqp_url, self.truth.database, self.ledger)
        for post in story.posts:
            await sender.send(post)
        await sender.close()
        await self.bridges.until(lambda: self.truth.has_outcome(event_id))
        self.ledger.recoveries.append(asyncio.get_running_loop().time() - began)

    async def settle(self, standstill: float = _STANDSTILL) -> tuple[Found, Findings]:
        """Wait until nothing is missing, or nothing moved for so many seconds; stop the bridges; compare."""
        await self.at_rest(standstill)
        for bridge in self.bridges.running:
            await bridge.stop()
        left = await self.truth.left()
        found = await self.truth.read()
        findings = self.ledger.compare(found)
        lost = [*findings.lost, *(f"{number} in {place} at the end" for place, number in left.items())]
        return found, replace(findings, lost=lost)

    async def check(self) -> None:
        """Settle, and hold that nothing is lost, there twice, or out of order."""
        found, findings = await self.settle()
        report = self.ledger.report(found, findings)
        assert findings.is_clean, "\n".join([report, *(bridge.story() for bridge in self.bridges.all[-2:])])
        sys.stdout.write(f"\n{report}\n")

    async def at_rest(self, standstill: float = _STANDSTILL) -> None:
        """Wait until nothing is missing, or nothing moved for so many seconds."""
        clock = asyncio.get_running_loop().time
        latest, moved = None, clock()
        while clock() - moved < standstill:
            try:
                found = await self.truth.read()
                left = await self.truth.left()
            except AWAY:
                moved = clock()
            else:
                if not self.ledger.compare(found).lost and not left:
                    return
                if (found, left) != latest:
                    latest, moved = (found, left), clock()
            await asyncio.sleep(_LOOKS_EACH)


@asynccontextmanager
async def staged(scenario: str, addresses: Addresses, folder: Path) -> AsyncIterator[Stage]:
    """Set a stage inside the block; its bridges are gone at the end."""
    name = uuid.uuid4().hex[:8]
    queue = f"chaos-{name}"
    client = await Client.connect(addresses.temporal)
    bridges = Bridges(addresses, queue, folder)
    try:
        async with (
            open_database(addresses.database) as database,
            Worker(client, task_queue=queue, workflows=[Quick, Patient]),
        ):
            await database.fetch(_CHANGES)
            truth = Truth(client, database, addresses.amqp, bridges)
            yield Stage(name, addresses.amqp, truth, bridges, Ledger(scenario, SEED))
    finally:
        for bridge in bridges.all:
            await bridge.drop()

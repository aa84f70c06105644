"""A dispatcher with its held messages (`Keeper`) and a real worker: for tests of the effects of triggers."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from temporalio.client import Client, WorkflowHandle

from bridge.breaker import Breaker
from bridge.dispatch import Dispatcher
from bridge.holding import Held
from bridge.keeper import Keeper
from bridge.outcomes import Effect
from bridge.route import route
from contracts.envelope import Event
from contracts.errors import PermanentError
from contracts.json import Json
from store import held as store
from store.database import Database
from tests.bridge.library import event
from tests.workflows.temporal.hosting import hosting
from workflows.language.compiler import compile_sources
from workflows.language.library import Library

ORDER = """
id: order
version: 1.0.0
triggers:
  - {event: order.placed, start: {key: "${ event.data.id }"}}
  - {event: order.joined, start: {key: "${ event.data.id }", if_running: signal}}
  - {event: order.renewed, start: {key: "${ event.data.id }", if_running: terminate}}
  - {event: order.unique, start: {key: "${ event.data.id }", if_running: fail}}
  - {event: order.ended, cancel: {key: "${ event.data.id }"}, if_missing: {hold: 1h}}
  - {event: note.kept, signal: {key: "${ event.data.id }", name: note}, if_missing: {hold: 1h}}
  - {event: note.brief, signal: {key: "${ event.data.id }", name: note}, if_missing: {hold: 1}}
  - {event: note.strict, signal: {key: "${ event.data.id }", name: note}}
  - {event: note.loose, signal: {key: "${ event.data.id }", name: note}, if_missing: drop}
  - {event: note.double, signal: {key: "${ event.data.id }", name: note}}
  - {event: note.double, signal: {key: "${ event.data.id }", name: note, data: {say: twin}}}
  - {event: paid.kept, signal: {correlate: {invoice: "${ event.data.invoice }"}, name: note}, if_missing: {hold: 1h}}
  - {event: paid.brief, signal: {correlate: {invoice: "${ event.data.invoice }"}, name: note}, if_missing: {hold: 1}}
  - {event: paid.loose, signal: {correlate: {invoice: "${ event.data.invoice }"}, name: note}, if_missing: drop}
  - {event: paid.strict, signal: {correlate: {invoice: "${ event.data.invoice }"}, name: note}, if_missing: dead-letter}
  - event: paid.both
    signal: {correlate: {invoice: "${ event.data.invoice }", payer: "${ event.data.payer }"}, name: note}
    if_missing: drop
steps:
  - id: hear
    type: receive
    signal: note
    match: event.data.say != ''
    correlate: {invoice: "${ input.invoice }", payer: "${ input.payer }"}
  - {id: listen, type: receive, signal: note, if: input.notes > 1}
  - {id: attend, type: receive, signal: note, if: input.notes > 2}
output: ${ [steps.hear.output, steps.listen.output, steps.attend.output] }
"""


def order_library() -> Library:
    """Compile the definition."""
    compilation = compile_sources({"order.yaml": ORDER}, {})
    assert compilation.library is not None, compilation.diagnostics
    return compilation.library


ORDERS = order_library()


@dataclass
class DispatchHarness:
    """A dispatcher, and the held messages that its keeper delivered or gave up."""

    client: Client
    queue: str
    database: Database
    delivered: list[tuple[str, Effect]] = field(default_factory=list)
    lost: list[tuple[str, PermanentError]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make the keeper and the dispatcher."""
        self.keeper = self.new_keeper()
        self.dispatcher = Dispatcher(self.client, self.queue, self.keeper)

    def new_keeper(self, client: Client | None = None) -> Keeper:
        """Make the keeper of another bridge."""
        breaker = Breaker("PostgreSQL", timedelta(seconds=1))
        return Keeper(client or self.client, self.database, breaker, self.note_delivered, self.note_lost)

    async def note_delivered(self, held: Held, effect: Effect) -> None:
        """Record a delivery; it is still in the store at this time."""
        assert await store.waits(self.database, held.message.target)
        self.delivered.append((held.event.id, effect))

    async def note_lost(self, held: Held, error: PermanentError) -> None:
        """Record a message that was given up."""
        self.lost.append((held.event.id, error))

    async def dispatch(self, told: Event, *, salt: str = "", **how: Any) -> list[Effect]:
        """Route and dispatch an event."""
        routing = route(told, ORDERS, salt)
        assert routing.refusals == ()
        effects = [await self.dispatcher.dispatch(one, told, None, **how) for one in routing.dispatches]
        pairs = zip(routing.dispatches, effects, strict=True)
        await self.dispatcher.settled([one for one, effect in pairs if effect.kind == "signalled"])
        return effects

    async def kind(self, told: Event, **how: Any) -> str:
        """Dispatch an event that one trigger is for, and return the kind of its effect."""
        [effect] = await self.dispatch(told, **how)
        return effect.kind

    def run(self, key: str) -> WorkflowHandle[Any, Any]:
        """The latest run with this key."""
        return self.client.get_workflow_handle(f"order/{key}")

    async def signals_received(self, key: str) -> list[str]:
        """Wait for the run's end and return the signals that it received, in order."""
        heard = await self.run(key).result()
        return [note["say"] for note in heard if note is not None]

    async def runs(self, key: str) -> int:
        """Count the runs that there ever were with this key."""
        return len([run async for run in self.client.list_workflows(f"WorkflowId = 'order/{key}'")])


def new_key() -> str:
    """Make a key that no other test has."""
    return uuid.uuid4().hex


def placed(key: str, *, kind: str = "order.placed", notes: int = 1, **more: Json) -> Event:
    """An event that starts the run with this key, which ends when it has had so many notes (1 to 3)."""
    data: dict[str, Json] = {"id": key, "notes": notes, "invoice": f"I-{key}", "payer": "p", "say": kind}
    return event(kind, data | more, new_key())


def note(kind: str, say: str, **data: Json) -> Event:
    """An event that signals a run."""
    return event(kind, {"say": say, **data}, new_key())


@asynccontextmanager
async def open_dispatch_harness(client: Client, database: Database) -> AsyncIterator[DispatchHarness]:
    """Run the worker inside the block."""
    async with hosting(client, ORDERS) as host:
        yield DispatchHarness(client, host.queue, database)

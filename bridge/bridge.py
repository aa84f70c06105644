"""The bridge as a whole: its parts, put together, opened in order and closed in reverse.

Consuming is one of them; beside it are chores that work on what consuming leaves behind: messages that wait for their
run, dead letters, events on their way out, the store's upkeep. All share two connections to the broker (one to consume,
one to publish), one pool to the store and one breaker before each service.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any

from bridge.amqp.consumer import Stations
from bridge.amqp.publisher import Publisher
from bridge.amqp.sharing import Broker, both
from bridge.batches import Pace
from bridge.breaker import Breaker, BreakerState
from bridge.chores import Chore, doing
from bridge.depths import Depths, queues_of
from bridge.dispatch import Dispatcher
from bridge.figures import LatestFigures
from bridge.handling import Handling
from bridge.keeper import Keeper
from bridge.lanes import Lanes
from bridge.letters import collect
from bridge.membership import joined
from bridge.metrics import Metrics
from bridge.recording import Recording, recording
from bridge.relay import Relay
from bridge.settings import BridgeSettings
from bridge.settling import Settling
from bridge.sorter import Sorter
from bridge.supervisor import Supervisor
from bridge.surroundings import Surroundings, Watchers
from bridge.tally import Tally
from bridge.upkeep import Upkeep
from contracts.errors import ServiceUnreachableError
from contracts.json import Json
from store.errors import AccessRefusedError, ConnectionLostError
from workflows.temporal.errors import TemporalAccessError

_DEFAULT = BridgeSettings()
_NOBODY = Watchers()
_MARKS_APART = timedelta(milliseconds=100)
_POSTGRESQL_AWAY = (ServiceUnreachableError, ConnectionLostError, AccessRefusedError)
_TEMPORAL_AWAY = (ServiceUnreachableError, TemporalAccessError)
"""Who does not let us in any more, after it did at the start, will again once somebody has seen to it."""


class Bridge:
    """A running bridge; made by `running_bridge`."""

    def __init__(self, around: Surroundings, settings: BridgeSettings, watchers: Watchers) -> None:
        self._around, self._settings, self._watchers = around, settings, watchers
        self._temporal = Breaker("Temporal", settings.longest_delay, _TEMPORAL_AWAY)
        self._postgresql = Breaker("PostgreSQL", settings.longest_delay, _POSTGRESQL_AWAY)
        self._tally = Tally(watchers.on_outcome, around.metrics)
        self._marking = Pace(_MARKS_APART)
        self._supervisor: Supervisor | None = None
        self._ends: list[asyncio.Future[Any]] = []

    @property
    def counts(self) -> Mapping[str, int]:
        """Outcomes so far by their word."""
        return self._tally.counts

    @property
    def is_consuming(self) -> bool:
        """Whether a session is up now."""
        return self._supervisor is not None and self._supervisor.consuming.is_set()

    @property
    def breakers(self) -> Mapping[str, BreakerState]:
        """How it stands with each service."""
        broker: BreakerState = "half-open" if self._supervisor is None else self._supervisor.state
        return {"rabbitmq": broker, "temporal": self._temporal.state, "postgresql": self._postgresql.state}

    def describe(self) -> Mapping[str, Json]:
        """Return what this bridge tells others about itself."""
        in_hand = 0 if self._supervisor is None else self._supervisor.in_hand
        return {"breakers": dict(self.breakers), "in_hand": in_hand}

    async def ended(self) -> None:
        """Wait until the bridge ends.

        Raises:
            SagaError: Why it ended by itself.
        """
        await asyncio.wait(self._ends, return_when=asyncio.FIRST_COMPLETED)
        for end in self._ends:
            if end.done():
                end.result()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run inside the block."""
        async with AsyncExitStack() as parts:
            database, settings = self._around.database, self._settings
            broker = await parts.enter_async_context(both(self._around.amqp_url, "sagawright bridge"))
            log = await parts.enter_async_context(
                recording(
                    database, self._postgresql, settings.window, self._marking, self._around.metrics.internal_error
                )
            )
            membership = await parts.enter_async_context(joined(database, self.describe, settings.sign_of_life))
            settling = Settling(log)
            keeper = Keeper(self._around.client, database, self._postgresql, settling.delivered, settling.lost)
            self._supervisor = Supervisor(broker, settings, self._stations(log, keeper), membership)
            await parts.enter_async_context(self._supervised(self._supervisor))
            self._show_on(self._around.metrics)
            self._ends.append(
                await parts.enter_async_context(doing(self._chores(broker, keeper), self._settings.patience))
            )
            yield

    @asynccontextmanager
    async def _supervised(self, supervisor: Supervisor) -> AsyncIterator[None]:
        """Consume inside the block; what is in hand is finished before it ends."""
        self._ends.append(asyncio.ensure_future(supervisor.run()))
        try:
            await self._until_consuming(supervisor)
            yield
        finally:
            supervisor.stop()
            await self._ends[0]

    async def _until_consuming(self, supervisor: Supervisor) -> None:
        waiting: asyncio.Future[Any] = asyncio.ensure_future(supervisor.consuming.wait())
        try:
            await asyncio.wait([waiting, *self._ends], return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if not supervisor.consuming.is_set():
            await self.ended()

    def _stations(self, log: Recording, keeper: Keeper) -> Stations:
        around, settings, reached = self._around, self._settings, self._watchers.reached
        dispatcher = Dispatcher(around.client, settings.task_queue, keeper)
        lanes = Lanes(self._marking.pressed)
        handling = Handling(around, settings, log, dispatcher, self._temporal, self._tally.tell, reached, lanes)
        sorter = Sorter(around.library, settings, self._tally.tell, reached, around.metrics.internal_error)
        return Stations(sorter.take, handling.take, around.metrics.publish_failed)

    def _chores(self, broker: Broker, keeper: Keeper) -> Mapping[str, Chore]:
        database, metrics = self._around.database, self._around.metrics
        publisher = Publisher(
            broker.publishing, topology=self._settings.topology, metrics=metrics, form=self._settings.event_form
        )
        depths, figures = Depths(broker.consuming, lambda: queues_of(self._settings.topology)), LatestFigures(database)
        metrics.watch_queues(depths.read)
        figures.show_on(metrics)
        measuring: dict[str, Chore] = {"depths": depths.run, "figures": figures.run}
        return (measuring if metrics.measures else {}) | {
            "held events": keeper.run,
            "dead letters": partial(
                collect, broker.consuming, database, plain=self._settings.topology.plain, told=metrics.dead_lettered
            ),
            "outbox": Relay(database, publisher, reached=self._watchers.reached).run,
            "upkeep": Upkeep(database, self._settings, self._around.storage).run,
        }

    def _show_on(self, metrics: Metrics) -> None:
        metrics.watch_breaker("temporal", lambda: self._temporal.state)
        metrics.watch_breaker("postgresql", lambda: self._postgresql.state)
        metrics.watch_breaker("rabbitmq", lambda: self.breakers["rabbitmq"])
        metrics.watch_in_hand(lambda: 0 if self._supervisor is None else self._supervisor.in_hand)


@asynccontextmanager
async def running_bridge(
    around: Surroundings, settings: BridgeSettings = _DEFAULT, watchers: Watchers = _NOBODY
) -> AsyncIterator[Bridge]:
    """Run a bridge inside the block; it consumes when the block begins, and finishes what it has in hand when it ends.

    Args:
        around: The services and definitions that it works with; the caller keeps them.
        settings: How to consume and dispatch.
        watchers: Who is told what happens.

    Raises:
        ServiceUnreachableError: The broker or PostgreSQL is away at the start.
        BrokerRefusedError: The broker does not let us in, or not do what is needed.
        TopologyMismatchError: A queue or exchange has other properties. If that happens later, the block's end raises.
    """
    bridge = Bridge(around, settings, watchers)
    async with bridge.running():
        yield bridge


async def run_bridge(around: Surroundings, settings: BridgeSettings = _DEFAULT, watchers: Watchers = _NOBODY) -> None:
    """Run a bridge until this task is cancelled; arguments and errors as for `running_bridge`."""
    async with running_bridge(around, settings, watchers) as bridge:
        await bridge.ended()

"""Bugs, planted on purpose, which the suite must find; they live here, as subclasses of the product's parts.

`acknowledge-first`: a delivery is acknowledged before it is handled, so a crash loses it. `no-deduplication`: the event
log reports every event as new, so a late repetition is handled again, and another event with its id as well.
`one-session`: consuming that was cut off is not taken up again. `no-letters`: what a full queue refuses is forgotten.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from aio_pika import Message

from bridge.amqp.acknowledge import Tries, acknowledge
from bridge.amqp.consumer import Stations, Take
from bridge.amqp.delivery import Delivery
from bridge.amqp.outlets import Outlets
from bridge.bridge import Bridge
from bridge.dispatch import Dispatcher
from bridge.handling import Handling
from bridge.keeper import Keeper
from bridge.recording import Recording
from bridge.supervisor import Supervisor
from contracts.errors import SagaError
from store.event_log import Arrival, Verdict


class _AcknowledgeFirstHandling(Handling):
    async def take(self, delivery: Delivery, outlets: Outlets) -> None:
        await acknowledge(delivery, self.reached)
        self.reached("after-consume")
        tries = Tries(delivery.attempts, self.settings.attempts, self.around.metrics.internal_error)
        outcome = await self._handle(self._read(delivery), delivery, outlets, tries)
        self.told(outcome)


class AcknowledgeFirstBridge(Bridge):
    """Acknowledges a delivery before it handles it."""

    def _stations(self, log: Recording, keeper: Keeper) -> Stations:
        around, settings, reached = self._around, self._settings, self._watchers.reached
        dispatcher = Dispatcher(around.client, settings.task_queue, keeper)
        handling = _AcknowledgeFirstHandling(
            around, settings, log, dispatcher, self._temporal, self._tally.tell, reached
        )
        return replace(super()._stations(log, keeper), partition=handling.take)


class _NoDeduplicationRecording(Recording):
    async def record(self, arrival: Arrival) -> Verdict:
        verdict = await super().record(arrival)
        return Verdict("new", verdict.behind, {})


class NoDeduplicationBridge(Bridge):
    """Treats every event as new."""

    def _stations(self, log: Recording, keeper: Keeper) -> Stations:
        recording = _NoDeduplicationRecording(**vars(log))
        return super()._stations(recording, keeper)


class _OneSessionSupervisor(Supervisor):
    async def _pause(self, failures: int, error: SagaError) -> None:
        self.consuming.clear()
        await self._stop.wait()


class OneSessionBridge(Bridge):
    """Consumes until it is cut off, and never again, without a word: so does aio-pika's iterator."""

    def _supervised(self, supervisor: Supervisor) -> Any:
        self._supervisor = _OneSessionSupervisor(
            supervisor._broker, supervisor._settings, supervisor._stations, supervisor._membership
        )
        return super()._supervised(self._supervisor)


class _ForgettingOutlets(Outlets):
    async def _took(self, exchange: str, delivery: Delivery, message: Message, key: str, failures: int) -> bool:
        await super()._took(exchange, delivery, message, key, failures)
        return True


class NoLettersBridge(Bridge):
    """Goes on when a copy was refused, as if it had been taken."""

    def _stations(self, log: Recording, keeper: Keeper) -> Stations:
        real = super()._stations(log, keeper)

        def forgetting(take: Take) -> Take:
            def taken(delivery: Delivery, outlets: Outlets) -> Awaitable[None]:
                outlets.__class__ = _ForgettingOutlets
                return take(delivery, outlets)

            return taken

        return replace(real, inbox=forgetting(real.inbox), partition=forgetting(real.partition))


BRIDGES: Final[Mapping[str, type[Bridge]]] = MappingProxyType(
    {
        "none": Bridge,
        "acknowledge-first": AcknowledgeFirstBridge,
        "no-deduplication": NoDeduplicationBridge,
        "one-session": OneSessionBridge,
        "no-letters": NoLettersBridge,
    }
)
"""What a process runs, by the name of the bug in it."""

"""Two bugs, planted on purpose, which the suite must find; they live here, as subclasses of the product's parts.

`acknowledge-first`: a delivery is acknowledged before it is handled, so a crash loses it. `no-deduplication`: the event
log reports every event as new, so a late repetition is handled again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from bridge.amqp.acknowledge import Tries, acknowledge
from bridge.amqp.consumer import Stations
from bridge.amqp.delivery import Delivery
from bridge.amqp.outlets import Outlets
from bridge.bridge import Bridge
from bridge.dispatch import Dispatcher
from bridge.handling import Handling
from bridge.keeper import Keeper
from bridge.recording import Recording
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


BRIDGES: Final[Mapping[str, type[Bridge]]] = MappingProxyType(
    {"none": Bridge, "acknowledge-first": AcknowledgeFirstBridge, "no-deduplication": NoDeduplicationBridge}
)
"""What a process runs, by the name of the bug in it."""

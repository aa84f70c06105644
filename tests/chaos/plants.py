"""Two bugs, planted on purpose, which the suite must find; they live here, as subclasses of the product's parts.

`acknowledges-first`: a delivery is acknowledged before anything is done for it, so a crash loses it. `forgets`: the
event log says of every event that it is new, so a late repetition is handled again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from bridge.amqp.acknowledge import acknowledge
from bridge.amqp.consumer import Stations
from bridge.amqp.delivery import Delivery
from bridge.amqp.outlets import Outlets
from bridge.bridge import Bridge
from bridge.dispatch import Dispatcher
from bridge.handling import Handling
from bridge.keeper import Keeper
from bridge.recording import Recording
from store.event_log import Arrival, Verdict


class _AcknowledgesFirst(Handling):
    async def take(self, delivery: Delivery, outlets: Outlets) -> None:
        await acknowledge(delivery, self.reached)
        self.reached("after-consume")
        outcome = await self._handle(self._read(delivery), delivery, outlets)
        self.told(outcome)


class HastyBridge(Bridge):
    """Acknowledges first."""

    def _stations(self, log: Recording, keeper: Keeper) -> Stations:
        around, settings, reached = self._around, self._settings, self._watchers.reached
        dispatcher = Dispatcher(around.client, settings.task_queue, keeper)
        hasty = _AcknowledgesFirst(around, settings, log, dispatcher, self._temporal, self._tally.tell, reached)
        return replace(super()._stations(log, keeper), partition=hasty.take)


class _Forgets(Recording):
    async def record(self, arrival: Arrival) -> Verdict:
        verdict = await super().record(arrival)
        return Verdict("new", verdict.behind, {})


class ForgetfulBridge(Bridge):
    """Has no memory of events."""

    def _stations(self, log: Recording, keeper: Keeper) -> Stations:
        forgets = _Forgets(log.database, log.breaker, log.arrivals, log.marks)
        return super()._stations(forgets, keeper)


BRIDGES: Final[Mapping[str, type[Bridge]]] = MappingProxyType(
    {"none": Bridge, "acknowledges-first": HastyBridge, "forgets": ForgetfulBridge}
)
"""What a process runs, by the name of the bug in it."""

"""The station at the inbox: a message that does not say where it belongs goes to the partition of its key.

One bridge sorts at a time (the inbox has a single active consumer), and what has one key goes on in the order in which
it came. A copy that the broker does not take is tried again in its lane, so that nothing behind it goes first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from bridge.amqp.acknowledge import Reached, Tries, acknowledge, ended_by, now_or_later, put_on
from bridge.amqp.delivery import Delivery
from bridge.amqp.outlets import Outlets
from bridge.lanes import Lanes
from bridge.outcomes import Delayed, Outcome, Refused
from bridge.reading import event_of, too_often
from bridge.route import route
from bridge.settings import BridgeSettings
from bridge.sorting import Place, place
from contracts.ports import UnfitEventError
from workflows.language.library import Library


@dataclass
class Sorter:
    """Sorts deliveries of the inbox; `told` is told of those that cannot be sorted, `alarm` of errors of ours."""

    library: Callable[[], Library]
    settings: BridgeSettings
    told: Callable[[Outcome], None]
    reached: Reached
    alarm: Callable[[str], None]
    lanes: Lanes = field(default_factory=Lanes)

    async def take(self, delivery: Delivery, outlets: Outlets) -> None:
        """Handle one delivery to its end.

        Raises:
            SessionLostError: The connection is lost; the broker will deliver again.
            UnroutableEventError: A queue is gone; likewise, once the topology was declared again.
        """
        tries = Tries(delivery.attempts, self.settings.attempts, self.alarm)
        found = now_or_later(lambda: self._place(delivery), tries)
        if isinstance(found, Refused | Delayed):
            await self._put_aside(delivery, found, outlets)
        else:
            async with self.lanes.through([found.key]):
                await self._sort(delivery, found, outlets, tries)
        await acknowledge(delivery, self.reached)

    def _place(self, delivery: Delivery) -> Place:
        too_often(delivery, self.settings.deliveries)
        event = event_of(delivery, self.settings.topology)
        return place(event, delivery.priority, route(event, self.library()), self.settings.topology)

    async def _put_aside(self, delivery: Delivery, result: Refused | Delayed, outlets: Outlets) -> None:
        outcome = Outcome(None, None, delivery.routing_key, delivery.attempts + 1, result)
        await put_on(delivery, outcome, None, outlets, self.reached)
        self.told(outcome)

    async def _sort(self, delivery: Delivery, found: Place, outlets: Outlets, tries: Tries) -> None:
        try:
            await outlets.sort(delivery, found, self.settings.topology)
        except UnfitEventError as error:
            await self._put_aside(delivery, ended_by(error, tries), outlets)
        else:
            self.reached("after-sort")

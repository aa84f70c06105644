"""The station at a partition: from a delivery to its outcome.

Read, record, judge, dispatch, mark, acknowledge. Whatever decides about order comes before the first await, so that
deliveries enter their lanes in the order in which they came.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from bridge.amqp.acknowledge import Reached, Tries, acknowledge, now_or_later, put_on, result_of
from bridge.amqp.delivery import Delivery
from bridge.amqp.outlets import Outlets
from bridge.breaker import Breaker
from bridge.dispatch import Dispatcher
from bridge.judging import judge
from bridge.lanes import Lanes
from bridge.outcomes import Delayed, Outcome, Refused, Result
from bridge.passage import Passage
from bridge.reading import Reading, read, with_mark
from bridge.recording import Recording
from bridge.replay_mark import MEMBER, mark_of
from bridge.settings import BridgeSettings
from bridge.slots import Slots
from bridge.surroundings import Surroundings
from bridge.tracing import consuming

_log = structlog.get_logger("bridge")


@dataclass
class Handling:
    """What all deliveries share: the log, the way to Temporal, lanes, slots, breaker.

    Attributes:
        around: Definitions, schemas, metrics.
        settings: How to handle.
        recording: The event log.
        dispatcher: The way to Temporal.
        temporal: The breaker before it.
        told: Told each outcome, after its delivery was answered.
        reached: Told the name of each crash point.
    """

    around: Surroundings
    settings: BridgeSettings
    recording: Recording
    dispatcher: Dispatcher
    temporal: Breaker
    told: Callable[[Outcome], None]
    reached: Reached
    lanes: Lanes = field(default_factory=Lanes)

    def __post_init__(self) -> None:
        """Make what depends on the settings."""
        weights = {each.name: each.weight for each in self.settings.topology.classes}
        self._slots = Slots(self.settings.concurrency, weights)

    async def take(self, delivery: Delivery, outlets: Outlets) -> None:
        """Handle one delivery to its end.

        Raises:
            SessionLostError: The connection is lost; the broker will deliver again.
            ServiceUnreachableError: The broker is away; likewise.
            UnroutableEventError: A queue is gone; likewise, once the topology was declared again.
        """
        self.reached("after-consume")
        metrics = self.around.metrics
        tries = Tries(delivery.attempts, self.settings.attempts, metrics.internal_error)
        reading = now_or_later(lambda: self._read(delivery), tries)
        if isinstance(reading, Refused | Delayed):
            outcome = Outcome(None, None, delivery.routing_key, delivery.attempts + 1, reading)
            metrics.consumed(None)
            await put_on(delivery, outcome, None, outlets, self.reached)
        else:
            metrics.consumed(reading.event.type)
            outcome = await self._handle(reading, delivery, outlets, tries)
        await acknowledge(delivery, self.reached)
        self.told(outcome)

    def _read(self, delivery: Delivery) -> Reading:
        return read(delivery, self.around.library(), self.around.check, self.settings)

    async def _handle(self, reading: Reading, delivery: Delivery, outlets: Outlets, tries: Tries) -> Outcome:
        passage = Passage(reading, delivery)
        # The log is written before the next with this key has its turn, so that it sees all that came before it, and
        # after a crash only the latest of a key can be unmarked: the one that Temporal recognises for sure.
        async with self.lanes.through([reading.place.key, *reading.routing.targets]):
            with consuming(reading.event):
                result = await result_of(lambda: self._result(passage), tries)
            outcome = passage.outcome(result)
            await self._settle(passage, outcome, outlets)
        return outcome

    async def _result(self, passage: Passage) -> Result:
        passage.reading = await self._believed(passage.reading)
        passage.verdict = await self.recording.record(passage.arrival())
        self.reached("after-record")
        early = judge(passage.event, passage.verdict, passage.delivery.expires_at, datetime.now(UTC))
        if early is not None:
            return early
        if passage.reading.error is not None:
            raise passage.reading.error
        async with self._slots.one(passage.reading.place.priority_class):
            await passage.carry_out(self.dispatcher, self.temporal, lambda: self.reached("after-start"))
        if passage.effects:
            self.around.metrics.dispatched_after(datetime.now(UTC) - passage.event.time)
        return passage.result()

    async def _believed(self, reading: Reading) -> Reading:
        """Take an event's word that it is a replay only if one is on record; else it is handled as any other."""
        if MEMBER not in reading.event.metadata:
            return reading
        claim = mark_of(reading.event)
        mark = None if claim is None else await self.recording.replays.believed(claim)
        if mark is None:
            self.around.metrics.replay_refused()
            _log.warning("replay_unknown", event_id=reading.event.id, event_type=reading.event.type)
        return reading if mark == claim and mark is not None else with_mark(reading, mark, self.around.library())

    async def _settle(self, passage: Passage, outcome: Outcome, outlets: Outlets) -> None:
        """Write down what became of an event, where it has to be before the message is acknowledged."""
        if isinstance(outcome.result, Delayed):
            await passage.delivery.lease()
            await self.recording.delay(passage.arrival(), outcome.result.level, passage.effects_in_json())
        await put_on(passage.delivery, outcome, passage.event, outlets, self.reached)
        if mark := passage.mark(outcome):
            await passage.delivery.lease()
            await self.recording.mark(mark, passage.arrival())
            if told := passage.retry_outcome(outcome):
                await self.recording.note(told)
            await self.dispatcher.settled(passage.signalled())
            self.reached("after-mark")

"""From a delivery to its outcome: decode, route, dispatch.

Decoding and routing come before the first await, so that deliveries enter their lanes in the order in which they
came. Dispatches that Temporal has accepted are remembered while a delivery is tried again, so that a retry does
only what is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from bridge.amqp.acknowledge import answer, now_or_refused, outcome_of
from bridge.amqp.deadletters import DeadLetters
from bridge.amqp.delivery import Delivery
from bridge.breaker import Breaker
from bridge.dispatch import Dispatcher
from bridge.dispatches import Dispatch
from bridge.envelope import decode
from bridge.errors import GaveUpError, TriggerFailedError
from bridge.lanes import Lanes
from bridge.outcomes import Dispatched, Effect, Outcome, Refused, Result, Unrouted
from bridge.route import Routing, route
from bridge.settings import BridgeSettings
from contracts.envelope import Event
from contracts.errors import PermanentError
from workflows.language.library import Library

Reached = Callable[[str], None]


@dataclass
class Handling:
    """What all deliveries share: the way to Temporal, the lanes, the breaker.

    `reached` is told the name of each crash point; `told` each outcome, after its delivery was answered.
    """

    library: Callable[[], Library]
    dispatcher: Dispatcher
    settings: BridgeSettings
    told: Callable[[Outcome], None]
    reached: Reached
    lanes: Lanes = field(default_factory=Lanes)

    def __post_init__(self) -> None:
        """Make what depends on the settings."""
        self._breaker = Breaker(self.settings.longest_delay)
        self._in_flight = asyncio.Semaphore(self.settings.concurrency)

    async def take(self, delivery: Delivery, dead_letters: DeadLetters) -> None:
        """Handle one delivery to its end; raises what `answer` raises."""
        self.reached("after-consume")
        outcome = await self._outcome(delivery)
        await answer(delivery, outcome, dead_letters, self.reached)
        self.told(outcome)

    async def _outcome(self, delivery: Delivery) -> Outcome:
        event = now_or_refused(lambda: decode(delivery.body, delivery.properties))
        if isinstance(event, Refused):
            return Outcome(None, None, delivery.routing_key, 1, event)
        result, attempts = await self._result(event, delivery)
        return Outcome(event.id, event.type, delivery.routing_key, attempts, result)

    async def _result(self, event: Event, delivery: Delivery) -> tuple[Result, int]:
        routing = now_or_refused(lambda: self._route(event, delivery))
        if isinstance(routing, Refused):
            return routing, 1
        if routing.is_unrouted:
            return Unrouted(), 1
        pending = _Pending(event, routing, delivery.priority)
        async with self.lanes.through(routing.workflow_ids):
            return await outcome_of(
                lambda: self._dispatch(pending), self.settings.attempts, self.settings.longest_delay
            )

    def _route(self, event: Event, delivery: Delivery) -> Routing:
        if delivery.earlier > self.settings.deliveries:
            raise GaveUpError(f"It was delivered {delivery.earlier} times, and whoever had it in hand never answered.")
        return route(event, self.library())

    async def _dispatch(self, pending: _Pending) -> Result:
        for dispatch in pending.left():
            try:
                effect = await self._breaker.protect(lambda: self._send(dispatch, pending))  # noqa: B023 - awaited here
            except PermanentError as error:
                pending.failed[dispatch.request_id] = error
            else:
                pending.effects[dispatch.request_id] = effect
        return pending.result()

    async def _send(self, dispatch: Dispatch, pending: _Pending) -> Effect:
        async with self._in_flight:
            effect = await self.dispatcher.dispatch(dispatch, pending.event, pending.priority)
        self.reached("after-start")
        return effect


@dataclass
class _Pending:
    """An event on its way, and how far it is."""

    event: Event
    routing: Routing
    priority: int | None
    effects: dict[str, Effect] = field(default_factory=dict)
    failed: dict[str, PermanentError] = field(default_factory=dict)

    def left(self) -> list[Dispatch]:
        return [
            dispatch
            for dispatch in self.routing.dispatches
            if dispatch.request_id not in self.effects and dispatch.request_id not in self.failed
        ]

    def result(self) -> Result:
        effects = tuple(self.effects.values())
        reasons = [str(error) for error in self.failed.values()]
        reasons += [str(TriggerFailedError(refusal)) for refusal in self.routing.refusals]
        if not reasons:
            return Dispatched(effects)
        code = next((error.code for error in self.failed.values()), TriggerFailedError.code)
        return Refused(code, " ".join(reasons), effects)

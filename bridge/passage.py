"""One event on its way through a partition, and how far it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bridge.amqp.delivery import Delivery
from bridge.breaker import Breaker
from bridge.dispatch import Dispatcher
from bridge.dispatches import Dispatch
from bridge.done_before import done_before
from bridge.errors import EffectUnknownError, TriggerFailedError
from bridge.fault import is_ours
from bridge.outcomes import Dispatched, Effect, Outcome, Refused, Result, Unrouted
from bridge.reading import Reading
from bridge.replay_mark import ReplayMark, mark_of
from contracts.envelope import Event
from contracts.errors import PermanentError
from contracts.json import Json
from store.dead_letters import RetryOutcome
from store.event_log import Arrival, Mark, Verdict, digest_of

_LOGGED = frozenset({"dispatched", "held", "unrouted", "dead-lettered", "expired"})


@dataclass
class Passage:
    """An event in hand.

    Attributes:
        reading: The event and what it asks for.
        delivery: The message that brought it.
        verdict: What the event log says, once it was asked.
    """

    reading: Reading
    delivery: Delivery
    verdict: Verdict | None = None
    effects: dict[str, Effect] = field(default_factory=dict)
    failed: dict[str, PermanentError] = field(default_factory=dict)

    @property
    def event(self) -> Event:
        """The event."""
        return self.reading.event

    @property
    def mark_of_replay(self) -> ReplayMark | None:
        """By what it was published again; believed, once `reading` is."""
        return mark_of(self.event)

    def arrival(self) -> Arrival:
        """Return what is recorded about it."""
        event, mark = self.event, self.mark_of_replay
        since = None if mark is None else mark.since
        digest, is_replay = digest_of(event), mark is not None
        return Arrival(event, self.reading.place.key, self.delivery.priority, digest, is_replay, since)

    async def carry_out(self, dispatcher: Dispatcher, temporal: Breaker, sent: Callable[[], None]) -> None:
        """Send its requests to Temporal; one that can never succeed does not keep the others from being sent."""
        before = self._done_before()
        for dispatch in self.reading.routing.dispatches:
            try:
                effect = await self._send(dispatch, before.get(dispatch.request_id), dispatcher, temporal)
                self.effects[dispatch.request_id] = effect
            except PermanentError as error:
                if is_ours(error):
                    raise
                self.failed[dispatch.request_id] = error
            sent()

    async def _send(
        self, dispatch: Dispatch, before: Mapping[str, Json] | None, dispatcher: Dispatcher, temporal: Breaker
    ) -> Effect:
        missing = None if self.verdict is None else self.verdict.missing
        if before is None and missing is not None and not self._does_everything:
            raise EffectUnknownError(f"`saga events restore {missing}`")
        priority, lease = self.delivery.run_priority, self.delivery.lease

        async def send() -> Effect:
            return await dispatcher.dispatch(dispatch, self.event, priority, before=before, lease=lease)

        return await temporal.protect(send)

    def _done_before(self) -> Mapping[str, Mapping[str, Json]]:
        done = {} if self.verdict is None else self.verdict.done
        dispatches = self.reading.routing.dispatches
        if self._does_everything:
            # It has request ids of its own: what is done under them, it has done itself.
            asked = {dispatch.request_id for dispatch in dispatches}
            return {request: entry for request, entry in done.items() if request in asked and isinstance(entry, dict)}
        return done_before(dispatches, done)

    @property
    def _does_everything(self) -> bool:
        return self.mark_of_replay is not None and self.mark_of_replay.again

    def result(self) -> Result:
        """Return the result, once all was carried out."""
        if self.reading.routing.is_unrouted:
            return Unrouted()
        effects = tuple(self.effects.values())
        reasons = [str(error) for error in self.failed.values()]
        reasons += [str(TriggerFailedError(refusal)) for refusal in self.reading.routing.refusals]
        if not reasons:
            return Dispatched(effects)
        code = next((error.code for error in self.failed.values()), TriggerFailedError.code)
        return Refused(code, " ".join(reasons), effects)

    def outcome(self, result: Result) -> Outcome:
        """Return the outcome for people and counters."""
        return Outcome(
            self.event.identity, self.event.type, self.delivery.routing_key, self.delivery.attempts + 1, result
        )

    def mark(self, outcome: Outcome) -> Mark | None:
        """Return what the log keeps of the outcome; None where it keeps nothing."""
        if self.verdict is None or outcome.word not in _LOGGED:
            return None
        reason = outcome.result.reason if isinstance(outcome.result, Refused) else None
        return Mark(self.event.identity, outcome.word, self.effects_in_json(), reason)

    def retry_outcome(self, outcome: Outcome) -> RetryOutcome | None:
        """Return what a dead letter that was retried is told; None where it is none, or comes back."""
        mark, sentence = self.mark_of_replay, outcome.sentence
        if mark is None or mark.letter is None or sentence is None:
            return None
        return RetryOutcome(mark.letter, mark.retry or mark.id, sentence)

    def signalled(self) -> list[Dispatch]:
        """Return the dispatches that reached their runs."""
        done = {request for request, effect in self.effects.items() if effect.kind == "signalled"}
        return [dispatch for dispatch in self.reading.routing.dispatches if dispatch.request_id in done]

    def effects_in_json(self) -> dict[str, Json]:
        """Return what it did so far, by request id, as the event log keeps it."""
        return {request: in_json(effect) for request, effect in self.effects.items()}


def in_json(effect: Effect) -> Json:
    """Return an effect as the event log keeps it."""
    return {"kind": effect.kind, "workflow_id": effect.workflow_id, "run_id": effect.run_id}

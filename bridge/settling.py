"""What became of events that were held: marked in the event log, or put aside as dead letters."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from bridge.holding import Held
from bridge.outcomes import Effect
from bridge.passage import in_json
from bridge.recording import Recording
from contracts.envelope import Event
from contracts.errors import PermanentError
from contracts.names import EXCHANGE_EVENTS
from store import dead_letters
from store.dead_letters import Letter
from store.event_log import Mark

_LETTERS = uuid.UUID("5b7d2f4e-0d0a-5f59-8a52-6b1c8f2d9a10")


@dataclass(frozen=True)
class Settling:
    """Settles what a keeper is done with; both ways may be gone twice."""

    recording: Recording

    async def delivered(self, held: Held, effect: Effect) -> None:
        """Mark the event as dispatched, with this effect."""
        effects = {held.message.request_id: in_json(effect)}
        await self.recording.mark(Mark(held.event.identity, "dispatched", effects, of_held=True))

    async def lost(self, held: Held, error: PermanentError) -> None:
        """Put the event aside, and mark it as dead-lettered."""
        letter = _letter(held, error, datetime.now(UTC))
        await self.recording.breaker.protect(lambda: dead_letters.add(self.recording.database, [letter]))
        await self.recording.mark(Mark(held.event.identity, "dead-lettered", reason=str(error), of_held=True))


def _letter(held: Held, error: PermanentError, now: datetime) -> Letter:
    event = held.event
    return Letter(
        letter_id=str(uuid.uuid5(_LETTERS, held.message.request_id)),
        event_id=event.identity,
        event_type=event.type,
        exchange=EXCHANGE_EVENTS,
        routing_key=event.type,
        code=error.code,
        reason=str(error),
        attempts=1,
        first_at=event.time,
        last_at=now,
        headers={},
        properties={"message_id": event.id},
        content_type="application/json",
        body=_body(event),
    )


def _body(event: Event) -> bytes:
    return json.dumps(event.to_json(), ensure_ascii=False).encode()

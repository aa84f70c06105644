"""Webhook deliveries: each is accepted once, and its event is on its way in the same transaction.

The delivery's id and the event in the outbox are there together or not at all. So a sender that saw no answer repeats
the delivery without harm, however many repetitions run at once: PostgreSQL lets one insert win and holds the others
until it is committed. Where the id is no part of what was signed, a body that was accepted once is a repetition
under any id.

Ids are forgotten after a month. Schemes that sign the time refuse an old delivery themselves; for the others a
repetition after that is a new delivery.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from contracts.envelope import Event
from store import outbox
from store.database import Database, Session
from store.queries import load

Acceptance = Literal["accepted", "duplicate", "conflict"]

_SQL: Final = load("webhooks")
_BATCH: Final = 1000


async def accept_delivery(
    database: Database,
    source: str,
    delivery_id: str,
    digest: bytes,
    event: Event,
    priority: int = 0,
    *,
    once_by_body: bool = False,
) -> Acceptance:
    """Record a delivery and write its event to the outbox, unless it was accepted before.

    Args:
        database: Where.
        source: Name of the webhook's source; ids are unique within it.
        delivery_id: The delivery's id, the same in each repetition.
        digest: What tells two bodies apart.
        event: What the delivery becomes.
        priority: Of the event, 0 to 9.
        once_by_body: Whether a body that was accepted under another id is a repetition too.

    Returns:
        `accepted`, `duplicate` (it was accepted before), or `conflict` (its id was, with another body).

    Raises:
        UnfitEventError: The event cannot be written as JSON.
        PermanentError, TemporaryError: As for `Database.transaction`.
    """
    async with database.transaction() as session:
        if await session.execute(_SQL["insert"], source, delivery_id, digest, event.id, once_by_body):
            await outbox.add(session, event, priority)
            return "accepted"
        return await _repetition(session, source, delivery_id, digest)


async def _repetition(session: Session, source: str, delivery_id: str, digest: bytes) -> Acceptance:
    known = await session.fetch_row(_SQL["find"], source, delivery_id)
    return "duplicate" if known is None or known["digest"] == digest else "conflict"


async def forget_deliveries(database: Database, before: datetime, *, batch: int = _BATCH) -> int:
    """Remove what was accepted before a moment, a batch a transaction, and return how many there were."""
    forgotten = 0
    while True:
        async with database.transaction() as session:
            count = await session.execute(_SQL["forget"], before, batch)
        forgotten += count
        if count < batch:
            return forgotten

"""Where deliveries go: the port that the endpoint hands them to, and the one behind it that is PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bridge.http.signatures.scheme import Identity
from contracts.envelope import Event
from store.database import Database
from store.webhooks import Acceptance, accept_delivery


@dataclass(frozen=True, slots=True)
class Delivery:
    """A verified delivery.

    Attributes:
        source: Name of its source.
        identity: What it is known by.
        event: What it becomes.
        once_by_body: Whether a body that was accepted once is a repetition under any id.
    """

    source: str
    identity: Identity
    event: Event
    once_by_body: bool


class Intake(Protocol):
    """Takes each delivery once."""

    async def accept(self, delivery: Delivery) -> Acceptance:
        """Take a delivery, or say that it was taken before.

        Raises:
            SagaError: It cannot be taken now.
        """


class OutboxIntake:
    """Writes the delivery's id and its event in one transaction; a relay publishes the event."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def accept(self, delivery: Delivery) -> Acceptance:
        """Take a delivery, or say that it was taken before."""
        return await accept_delivery(
            self._database,
            delivery.source,
            delivery.identity.id,
            delivery.identity.digest,
            delivery.event,
            once_by_body=delivery.once_by_body,
        )

"""Ports: what one part needs of another that it may not import."""

from __future__ import annotations

from typing import Protocol

from contracts.envelope import Event


class EventPublisher(Protocol):
    """Publishes events on the bus."""

    async def publish(self, event: Event, *, priority: int = 0) -> None:
        """Publish `event` with its type as routing key and return once the broker has confirmed it.

        Args:
            event: The event; its id is the message id.
            priority: 0 (lowest) to 9.

        Raises:
            TemporaryError: The broker is away or did not confirm in time.
            PermanentError: The message can never be accepted (too large).
        """

"""Ports: what one part needs of another that it may not import, and the error that each side of a port knows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Protocol, TypeAlias

from contracts.envelope import Event
from contracts.errors import PermanentError

EventCheck: TypeAlias = Callable[[Event], None]
"""Looks at an event before it goes out, and raises a `PermanentError` that says what is wrong with it."""


Lease: TypeAlias = Callable[[], Awaitable[timedelta]]
"""Asked right before something is done for a message in hand: for how long is that message certainly still ours?

It waits while that is in doubt, and raises a `TemporaryError` when the message is not ours any more. What is begun then
ends, or counts as unanswered, within the time that it returned."""


class UnfitEventError(PermanentError):
    """The event cannot be written as JSON; send text, finite numbers, lists and objects only."""

    code = "unfit-event"


class EventPublisher(Protocol):
    """Publishes events on the bus."""

    async def publish(self, event: Event, *, priority: int = 0) -> None:
        """Publish `event` with its type as routing key and return once it is safe.

        Safe means: the broker has confirmed it, or it is committed to the outbox, from which it will be published.

        Args:
            event: The event; its id is the message id.
            priority: 0 (lowest) to 9.

        Raises:
            TemporaryError: Broker or database are away, or did not confirm in time.
            PermanentError: The message can never be accepted (too large, against its schema).
        """

"""The publisher of whoever has a database: it writes to the outbox, and a relay publishes from there.

So a broker that is away stops no step and loses no event. What can never be published is refused here already, where
somebody can still do something about it.
"""

from __future__ import annotations

from collections.abc import Callable

from bridge.amqp.outgoing import check_readable
from bridge.amqp.publisher import unchecked
from contracts.envelope import Event
from contracts.ports import EventCheck
from store.database import Database
from store.outbox import add_alone


def _nobody() -> None:
    """No relay runs here; others look by themselves."""


class OutboxPublisher:
    """An `EventPublisher` whose events are safe once they are committed to the outbox."""

    def __init__(self, database: Database, check: EventCheck = unchecked, wake: Callable[[], None] = _nobody) -> None:
        """Write to `database` what `check` lets through, and call `wake` then: a relay need not look by itself."""
        self._database, self._check, self._wake = database, check, wake

    async def publish(self, event: Event, *, priority: int = 0) -> None:
        """Write `event` to the outbox.

        Raises:
            EventTooLargeError: The bridge would not take it.
            UnfitEventError: It cannot be written as JSON.
            MalformedEventError: The bridge could not read it.
            PermanentError: What `check` says against it.
            TemporaryError: The database is away; the event may have been written all the same.
        """
        self._check(event)
        check_readable(event)
        await add_alone(self._database, event, priority)
        self._wake()

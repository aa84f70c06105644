"""What a bridge works with and whom it tells: given to it whole, because a bridge without one of them is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from temporalio.client import Client

from bridge.archive.storage import Storage
from bridge.metrics import Metrics
from bridge.outcomes import Outcome
from contracts.envelope import Event
from store.database import Database
from workflows.language.library import Library


def any_event(_: Event) -> None:
    """Let every event pass, where there are no schemas."""


@dataclass(frozen=True)
class Surroundings:
    """The services and definitions that a bridge works with.

    Attributes:
        amqp_url: The broker.
        client: A connected client of Temporal's.
        database: The store.
        library: Gives the definitions whose triggers count now; asked for each event.
        check: Raises a `PermanentError` for an event that is not as the schemas of its type say.
        metrics: Counts and shows.
        storage: Where days of the event log are archived; None = they are kept.
    """

    amqp_url: str
    client: Client
    database: Database
    library: Callable[[], Library]
    check: Callable[[Event], None] = any_event
    metrics: Metrics = field(default_factory=Metrics)
    storage: Storage | None = None


def _pass(_: str) -> None:
    """Nobody waits at this crash point."""


@dataclass(frozen=True)
class Watchers:
    """Who is told what happens.

    Attributes:
        on_outcome: Told the outcome of each delivery, after it was answered. Must not block.
        reached: Told the name of each crash point: after-consume, after-record, after-start, after-dead-letter,
            after-delay, after-mark, before-acknowledge; at the inbox after-sort and before-acknowledge.
    """

    on_outcome: Callable[[Outcome], None] | None = None
    reached: Callable[[str], None] = _pass

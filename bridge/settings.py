"""What an operator may set about the bridge; the command line fills it in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from contracts.names import TASK_QUEUE


@dataclass(frozen=True)
class BridgeSettings:
    """How the bridge consumes and dispatches.

    Attributes:
        queue: Name of the quorum queue that all bridges share.
        dead_letter_queue: Where events end that can never succeed.
        bindings: Topic patterns by which the queue is bound to `events`.
        task_queue: Temporal task queue of the runs that are started.
        prefetch: Deliveries in hand at most.
        concurrency: Requests to Temporal in flight at most.
        attempts: How often a delivery that fails for an unclear reason is tried before it is dead-lettered. A service
            that is away does not count.
        deliveries: How often an event may be delivered to processes that never answer before it is dead-lettered.
        dead_letter_retention: How long a dead letter is kept.
        publish_timeout: How long a confirm may take.
        longest_delay: Upper limit of the growing delays between tries at Temporal.
        longest_reconnect: The same between connections to the broker, which cost it little.
        patience: How long a stopping bridge waits for what it has in hand.
    """

    queue: str = "saga.events"
    dead_letter_queue: str = "saga.dead-letters"
    bindings: tuple[str, ...] = ("#",)
    task_queue: str = TASK_QUEUE
    prefetch: int = 50
    concurrency: int = 25
    attempts: int = 10
    deliveries: int = 100
    dead_letter_retention: timedelta = timedelta(days=7)
    publish_timeout: timedelta = timedelta(seconds=10)
    longest_delay: timedelta = timedelta(seconds=30)
    longest_reconnect: timedelta = timedelta(seconds=5)
    patience: timedelta = timedelta(seconds=10)

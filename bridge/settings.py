"""What an operator may set about the bridge; the command line fills it in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from bridge.encoding import Form
from bridge.topology.model import Topology
from contracts.names import TASK_QUEUE


@dataclass(frozen=True)
class BridgeSettings:
    """How the bridge consumes and dispatches.

    Attributes:
        topology: Partitions, priority classes, rules for ordering, and what else is on the broker.
        bindings: Topic patterns of the events that are taken from `events`.
        task_queue: Temporal task queue of the runs that are started.
        prefetch: Deliveries in hand at most, in each priority class.
        concurrency: Requests to Temporal in flight at most.
        attempts: How often a delivery that fails for a reason that is not its own is tried before it is dead-lettered:
            some hours with 30. A service that is away does not count.
        deliveries: How often an event may be delivered to processes that never answer before it is dead-lettered.
        window: How long the id of an event is remembered, so that a repetition is dropped.
        event_retention: How long an event stays in the log before its day is archived.
        event_form: How events that runs publish are written.
        dead_letter_retention: How long a dead letter is kept.
        publish_timeout: How long a confirm may take.
        longest_delay: Upper limit of the growing delays between tries at Temporal and PostgreSQL.
        longest_reconnect: The same between connections to the broker, which cost it little.
        patience: How long a stopping bridge waits for what it has in hand.
        sign_of_life: Time between signs of life, by which bridges know each other.
    """

    topology: Topology = field(default_factory=Topology)
    bindings: tuple[str, ...] = ("#",)
    task_queue: str = TASK_QUEUE
    prefetch: int = 50
    concurrency: int = 25
    attempts: int = 30
    deliveries: int = 100
    window: timedelta = timedelta(hours=24)
    event_retention: timedelta = timedelta(days=30)
    event_form: Form = "saga"
    dead_letter_retention: timedelta = timedelta(days=7)
    publish_timeout: timedelta = timedelta(seconds=10)
    longest_delay: timedelta = timedelta(seconds=30)
    longest_reconnect: timedelta = timedelta(seconds=5)
    patience: timedelta = timedelta(seconds=10)
    sign_of_life: timedelta = timedelta(seconds=3)

"""The names of what is ours on the broker.

Everything that two parts of the bridge, or a bridge and an operator, must spell alike. Names that begin with `saga.`
are ours alone; `events` and `dlx` are shared with producers, which may declare them as plain durable topic exchanges.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from contracts.names import EXCHANGE_EVENTS

OUR_PREFIX: Final = "saga."
EVENTS: Final = EXCHANGE_EVENTS
INLET: Final = "saga.inlet"
UNSORTED: Final = "saga.unsorted"
INBOX: Final = "saga.events"
UNROUTED: Final = "events.unrouted"
EXCHANGE_DEAD_LETTERS: Final = "dlx"
DEAD_LETTERS: Final = "saga.dead-letters"

GROUP_HEADER: Final = "x-group-id"
CLASS_HEADER: Final = "x-priority-class"
PARTITION_HEADER: Final = "x-partition"
PRIORITY_HEADER: Final = "x-saga-priority"
ATTEMPTS_HEADER: Final = "x-saga-attempts"

RETRY_DELAYS: Final = (
    timedelta(seconds=1),
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
)
_RETRY_NAMES = ("1s", "5s", "30s", "2m", "10m")


def class_exchange(name: str) -> str:
    """Return the exchange that gives the events of a priority class to their partitions."""
    return f"{OUR_PREFIX}{name}"


def partition_queue(name: str, number: int) -> str:
    """Return the queue of a partition, counted from 0, of a priority class."""
    return f"{OUR_PREFIX}{name}.{number}"


def retry_exchange(level: int) -> str:
    """Return the exchange, and its only queue, whose messages come back after `RETRY_DELAYS[level]`.

    The message returns to the queue that its routing key names. A level behind the last is the last.
    """
    return f"{OUR_PREFIX}retry.{_RETRY_NAMES[min(level, len(_RETRY_NAMES) - 1)]}"


def dead_letter_key(queue: str) -> str:
    """Return the routing key of the dead letters of `queue`."""
    return f"dlx.{queue}"

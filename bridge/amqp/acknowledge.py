"""The one place that decides how a delivery is answered.

Nothing is answered before it has an outcome, and nothing is ever handed back: a service that is away is waited for
with the delivery in hand (`bridge/breaker.py`), and what fails for an unclear reason is tried again here, a bounded
number of times, with growing delays. So there are two answers only. Dispatched or unrouted: acknowledge. Refused:
store the dead letter, see it confirmed, then acknowledge. A crash at any point between leads to a redelivery, which
Temporal recognises by its request ids.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

import structlog

from bridge.amqp.connection import LOST
from bridge.amqp.deadletters import DeadLetters
from bridge.amqp.delivery import Delivery
from bridge.backoff import delay_seconds
from bridge.errors import GaveUpError, SessionLostError
from bridge.outcomes import Dispatched, Outcome, Refused, Result, Unrouted
from contracts.errors import PermanentError, TemporaryError

T = TypeVar("T")
_log = structlog.get_logger("bridge")


def now_or_refused(work: Callable[[], T]) -> T | Refused:
    """Return what `work` gives. It is pure, so a failure of any kind stays one however often it is repeated."""
    try:
        return work()
    except Exception as error:
        return refusal(error, attempts=1)


async def outcome_of(work: Callable[[], Awaitable[Result]], limit: int, longest: timedelta) -> tuple[Result, int]:
    """Carry out `work`, again where that may help, until it has a result; return it with the number of attempts.

    Args:
        work: Idempotent.
        limit: Attempts at most.
        longest: Upper limit of the delay between attempts.
    """
    attempt = 1
    while True:
        try:
            return await work(), attempt
        except Exception as error:
            if isinstance(error, PermanentError) or attempt >= limit:
                return refusal(error, attempt), attempt
            _log.warning("event_failed", attempt=attempt, error=str(error), kind=type(error).__name__)
            await asyncio.sleep(_delay_seconds(error, attempt, longest))
        attempt += 1


def refusal(error: Exception, attempts: int) -> Refused:
    """Return how the event ends: because of `error` itself where no try can help, else because it failed too often."""
    if isinstance(error, PermanentError):
        return Refused(error.code, str(error))
    gave_up = GaveUpError(f"Attempts: {attempts}; the last failed with {type(error).__name__}: {error}")
    return Refused(gave_up.code, str(gave_up))


def _delay_seconds(error: Exception, attempt: int, longest: timedelta) -> float:
    if isinstance(error, TemporaryError) and error.delay is not None:
        return min(error.delay, longest).total_seconds()
    return delay_seconds(attempt, longest)


async def answer(
    delivery: Delivery, outcome: Outcome, dead_letters: DeadLetters, reached: Callable[[str], None]
) -> None:
    """Answer the broker for a delivery that has an outcome.

    Raises:
        SessionLostError: The connection is lost; the broker will deliver again.
        PublishUnconfirmedError: The dead letter was not stored; likewise.
        UnroutableEventError: The dead-letter queue is gone; likewise, once the topology was declared again.
    """
    match outcome.result:
        case Dispatched() | Unrouted():
            pass
        case Refused() as refused:
            await dead_letters.put(delivery, refused, outcome.attempts)
            reached("after-dead-letter")
    reached("before-acknowledge")
    try:
        await delivery.message.ack()
    except LOST as error:
        raise SessionLostError(str(error)) from error

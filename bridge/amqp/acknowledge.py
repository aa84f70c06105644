"""The one place that decides how a delivery is answered.

Nothing is answered before it has an outcome, and nothing is ever handed back: a service that is away is waited for
with the delivery in hand (`bridge/breaker.py`). So there is one answer, the acknowledgement, and what may have to
come before it: what is refused is stored as a dead letter, what failed for an unclear reason goes to a delay queue,
and what was done is marked in the event log. A crash at any point between leads to a redelivery, which the log, and
Temporal by its request ids, recognise.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from bridge.amqp.connection import LOST
from bridge.amqp.delivery import Delivery
from bridge.amqp.outlets import Outlets
from bridge.errors import GaveUpError, SessionLostError
from bridge.outcomes import Delayed, Outcome, Refused, Result
from bridge.topology.names import RETRY_DELAYS
from contracts.envelope import Event
from contracts.errors import PermanentError

T = TypeVar("T")
Reached = Callable[[str], None]
_log = structlog.get_logger("bridge")


def now_or_refused(work: Callable[[], T]) -> T | Refused:
    """Return what `work` gives. It is pure, so a failure of any kind stays one however often it is repeated."""
    try:
        return work()
    except Exception as error:
        return refusal(error, attempts=1)


async def result_of(work: Callable[[], Awaitable[Result]], attempts: int, limit: int) -> Result:
    """Carry out `work`; what fails for an unclear reason is to come back later, but not for ever.

    Args:
        work: Idempotent.
        attempts: How often it was tried before.
        limit: Attempts at most.

    Raises:
        SessionLostError: The delivery is not ours any more.
    """
    try:
        return await work()
    except SessionLostError:
        raise
    except Exception as error:
        if isinstance(error, PermanentError) or attempts + 1 >= limit:
            return refusal(error, attempts + 1)
        kind = type(error).__name__
        _log.warning("event_failed", attempt=attempts + 1, error=str(error), kind=kind)
        return Delayed(min(attempts, len(RETRY_DELAYS) - 1), failed=True, reason=f"{kind}: {error}")


def refusal(error: Exception, attempts: int) -> Refused:
    """Return how the event ends: because of `error` itself where no try can help, else because it failed too often."""
    if isinstance(error, PermanentError):
        return Refused(error.code, str(error))
    gave_up = GaveUpError(f"Attempts: {attempts}; the last failed with {type(error).__name__}: {error}")
    return Refused(gave_up.code, str(gave_up))


async def put_on(delivery: Delivery, outcome: Outcome, event: Event | None, outlets: Outlets, reached: Reached) -> None:
    """Publish the copy that this outcome asks for, if any; errors as for `answer`."""
    match outcome.result:
        case Refused() as refused:
            await outlets.bury(delivery, refused, outcome.attempts, event)
            reached("after-dead-letter")
        case Delayed() as delayed:
            await outlets.delay(delivery, delayed)
            reached("after-delay")
        case _:
            pass


async def acknowledge(delivery: Delivery, reached: Reached) -> None:
    """Answer the broker for a delivery with which all is done.

    Raises:
        SessionLostError: The connection is lost; the broker will deliver again.
    """
    reached("before-acknowledge")
    try:
        await delivery.message.ack()
    except LOST as error:
        raise SessionLostError(str(error)) from error

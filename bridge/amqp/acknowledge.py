"""The one place that decides how a delivery is answered.

Nothing is answered before it has an outcome, and nothing is ever handed back: a service that is away is waited for
with the delivery in hand (`bridge/breaker.py`). So there is one answer, the acknowledgement, and what may have to
come before it: what is refused is stored as a dead letter, what failed for an unclear reason goes to a delay queue,
and what was done is marked in the event log. A crash at any point between leads to a redelivery, which the log, and
Temporal by its request ids, recognise.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import structlog

from bridge.amqp.connection import LOST
from bridge.amqp.delivery import Delivery
from bridge.amqp.outlets import Outlets
from bridge.errors import GaveUpError, InternalError, SessionLostError
from bridge.fault import code_of, is_ours
from bridge.outcomes import Delayed, Outcome, Refused, Result
from bridge.topology.names import RETRY_DELAYS
from contracts.envelope import Event
from contracts.errors import PermanentError

T = TypeVar("T")
_MOST_PLACES = 5
Reached = Callable[[str], None]
_log = structlog.get_logger("bridge")


@dataclass(frozen=True)
class Tries:
    """How often something may fail for a reason that is not the event's.

    Attributes:
        before: How often it was tried before.
        most: Tries at most.
        alarm: Told the word for each error of ours.
    """

    before: int
    most: int
    alarm: Callable[[str], None]


def now_or_later(work: Callable[[], T], tries: Tries) -> T | Refused | Delayed:
    """Return what `work` gives; what is not the event's fault is tried again later, perhaps by another release."""
    try:
        return work()
    except Exception as error:
        return ended_by(error, tries)


async def result_of(work: Callable[[], Awaitable[Result]], tries: Tries) -> Result:
    """Carry out `work`; what fails for a reason that is not the event's is to come back later, but not for ever.

    Args:
        work: Idempotent.
        tries: How often.

    Raises:
        SessionLostError: The delivery is not ours any more.
    """
    try:
        return await work()
    except SessionLostError:
        raise
    except Exception as error:
        return ended_by(error, tries)


def ended_by(error: Exception, tries: Tries) -> Refused | Delayed:
    """Return how a try ends that failed: what is the event's own fault at once, else later, else given up."""
    ours = is_ours(error)
    if isinstance(error, PermanentError) and not ours:
        return Refused(error.code, str(error))
    kind, attempt = type(error).__name__, tries.before + 1
    if ours:
        tries.alarm(code_of(error))
        # Where it came from is what mends a bug; the values of its frames stay out of the log.
        _log.error("internal_error", attempt=attempt, error=str(error), kind=kind, at=_places(error))
    if attempt < tries.most:
        _log.warning("event_failed", attempt=attempt, error=str(error), kind=kind)
        return Delayed(min(tries.before, len(RETRY_DELAYS) - 1), failed=True, reason=f"{kind}: {error}")
    given_up = InternalError if ours else GaveUpError
    letter = given_up(f"Attempts: {attempt}; the last failed with {kind}: {error}")
    return Refused(letter.code, str(letter))


def _places(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)[-_MOST_PLACES:]
    return [f"{frame.name} in {Path(frame.filename).name}:{frame.lineno}" for frame in frames]


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

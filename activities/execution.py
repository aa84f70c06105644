"""From a Temporal activity to an action and back.

Temporal calls every action with the step's `with` and its context, both plain JSON. Around the action stand the time
limit (so that an attempt which the server has given up ends here too), the heartbeat (so that a cancellation arrives
in actions that never think of it), and the translator of errors.

A worker that is stopped cuts off what has not ended within its grace, and one of another release may lack an action.
Neither is an attempt of the step: it ends as `UNATTEMPTED`, and the run has another worker go on with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

import structlog
from temporalio import activity
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.action import Action, Call
from activities.attempts import Attempts, earlier_of
from activities.failures import outcome_of, translate
from activities.problems import PermanentProblemError
from activities.resources import Resources
from contracts.json import Json
from contracts.problems import RUNTIME, TIMEOUT, VALIDATION, Problem
from contracts.steps import UNATTEMPTED, StepContext

HEARTBEAT_SECONDS: Final = 10.0
BEATS_PER_TIMEOUT: Final = 3

_SHORTEST_PATIENCE: Final = timedelta(seconds=1)
_LONGEST_PATIENCE: Final = timedelta(seconds=30)
_LOST: Final = Problem(
    TIMEOUT,
    "An attempt was lost",
    504,
    "The last attempt that it may have ended without a word: it ran out of time, or its worker died.",
    outcome="unknown",
)

_log = structlog.get_logger()


def temporal_activity(action: Action[Any, Any], resources: Resources) -> Callable[..., Awaitable[Json]]:
    """Return the Temporal activity that carries out `action`."""

    @activity.defn(name=action.name)
    async def carry_out(arguments: Any, context: Any, *more: Any) -> Any:
        return await _attempt(action, resources, (arguments, context, *more))

    return carry_out


def absent_action() -> Callable[[Sequence[RawValue]], Awaitable[Json]]:
    """Return the Temporal activity that stands for every action which this worker lacks: another worker may have it."""

    @activity.defn(dynamic=True)
    async def give_back(arguments: Sequence[RawValue]) -> Any:
        converter, name = activity.payload_converter(), activity.info().activity_type
        given = converter.from_payloads([argument.payload for argument in arguments])
        attempts = Attempts.of(activity.info(), earlier_of(given))
        raise _taken_back(attempts, f"This worker has no action {name!r}.", unknown=False, delay=_patience(attempts))

    return give_back


async def _attempt(action: Action[Any, Any], resources: Resources, given: Sequence[Any]) -> Json:
    info = activity.info()
    attempts = Attempts.of(info, earlier_of(given))
    context: StepContext | None = None
    try:
        context = _context(given[1])
        if attempts.is_one_too_many:
            raise PermanentProblemError(_LOST)  # noqa: TRY301 - it becomes the problem of the step below
        async with asyncio.timeout(_seconds_left()):
            with _beating(attempts) as heartbeat:
                at = attempts.scheduled_at(info.scheduled_time)
                call = Call(context, resources, attempts.count, at, heartbeat, attempts.tainted)
                return await action(given[0], call)
    except ApplicationError:
        raise
    except asyncio.CancelledError:
        if not (attempts.recorded and _is_stopping()):
            raise
        # Where the action was is not known: it may have sent its request.
        raise _taken_back(attempts, "Its worker was stopped in the middle of it.", unknown=True) from None
    except Exception as error:  # the one place where an action's errors become problems
        raise _reported(error, context, attempts) from None


def _is_stopping() -> bool:
    """Tell whether it is our stop that cut an attempt off, and not the run, which wants it no longer."""
    details = activity.cancellation_details()
    return details is not None and details.worker_shutdown and not details.cancel_requested


def _taken_back(
    attempts: Attempts, why: str, *, unknown: bool, delay: timedelta = timedelta(milliseconds=1)
) -> ApplicationError:
    activity.heartbeat(attempts.taken_back(unknown=unknown))
    return ApplicationError(
        why,
        attempts.handed_on(activity.info().scheduled_time, unknown=unknown).to_json(),
        type=UNATTEMPTED,
        non_retryable=not attempts.patient,
        category=ApplicationErrorCategory.BENIGN,
        next_retry_delay=delay if attempts.patient else None,
    )


def _patience(attempts: Attempts) -> timedelta:
    doublings = min(attempts.free, 10)
    return min(_SHORTEST_PATIENCE * (1 << doublings), _LONGEST_PATIENCE)


def _reported(error: Exception, context: StepContext | None, attempts: Attempts) -> ApplicationError:
    if attempts.recorded:
        activity.heartbeat(attempts.ended(unknown=outcome_of(error) == "unknown"))
    rule = context.retry if context else None
    translated = translate(error, rule, attempt=attempts.count, tainted=attempts.tainted, is_last=attempts.is_last)
    if translated.type == RUNTIME:
        # What goes into the history has no traceback; whoever mends the action needs it.
        _log.error("action_broke", step=context.idempotency_key if context else None, exc_info=error)
    return translated


def _context(document: Any) -> StepContext:
    try:
        return StepContext.from_json(document)
    except (TypeError, ValueError, AttributeError) as error:
        detail = "The second argument of an activity is the context of its step; start actions through a workflow."
        raise PermanentProblemError(Problem(VALIDATION, "No step context", 422, detail)) from error


def _seconds_left() -> float | None:
    limit = activity.info().start_to_close_timeout
    return limit.total_seconds() if limit else None


@contextmanager
def _beating(attempts: Attempts) -> Iterator[Callable[[Json], None]]:
    if not attempts.recorded:
        yield _ignore
        return
    limit = activity.info().heartbeat_timeout
    pulse = _Pulse(attempts, limit.total_seconds() / BEATS_PER_TIMEOUT if limit else HEARTBEAT_SECONDS)
    pulse.wait()
    try:
        yield pulse.beat
    finally:
        pulse.stop()


def _ignore(progress: Json) -> None:
    pass


class _Pulse:
    """Beats by itself, with the last progress, so that it does not hide what the action said.

    A timer and not a task: most actions end before the first beat, and a timer costs them next to nothing.
    """

    def __init__(self, attempts: Attempts, every: float) -> None:
        self._attempts, self._every = attempts, every
        self._progress: Json = None
        self._timer: asyncio.TimerHandle | None = None

    def beat(self, progress: Json) -> None:
        self._progress = progress
        activity.heartbeat(self._attempts.alive(progress))

    def wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._every, self._again)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _again(self) -> None:
        self.beat(self._progress)
        self.wait()

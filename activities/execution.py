"""From a Temporal activity to an action and back.

Temporal calls every action with the step's `with` and its context, both plain JSON. Around the action stand the time
limit (so that an attempt which the server has given up ends here too), the heartbeat (so that a cancellation arrives
in actions that never think of it), and the translator of errors.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.action import Action, Call
from activities.attempts import Attempts
from activities.failures import outcome_of, translate
from activities.problems import PermanentProblemError
from activities.resources import Resources
from contracts.json import Json
from contracts.problems import RUNTIME, VALIDATION, Problem
from contracts.steps import StepContext

HEARTBEAT_SECONDS: Final = 10.0
BEATS_PER_TIMEOUT: Final = 3

_log = structlog.get_logger()


def temporal_activity(action: Action[Any, Any], resources: Resources) -> Callable[[Any, Any], Awaitable[Json]]:
    """Return the Temporal activity that carries out `action`."""

    @activity.defn(name=action.name)
    async def carry_out(arguments: Any, context: Any) -> Any:
        return await _attempt(action, resources, arguments, context)

    return carry_out


async def _attempt(action: Action[Any, Any], resources: Resources, arguments: Any, document: Any) -> Json:
    attempts = Attempts.of(activity.info())
    context: StepContext | None = None
    try:
        context = _context(document)
        info = activity.info()
        async with asyncio.timeout(_seconds_left()):
            with _beating(attempts) as heartbeat:
                call = Call(context, resources, info.attempt, info.scheduled_time, heartbeat, attempts.tainted)
                return await action(arguments, call)
    except ApplicationError:
        raise
    except Exception as error:  # the one place where an action's errors become problems
        raise _reported(error, context, attempts) from None


def _reported(error: Exception, context: StepContext | None, attempts: Attempts) -> ApplicationError:
    if attempts.recorded:
        activity.heartbeat(attempts.ended(unknown=outcome_of(error) == "unknown"))
    rule = context.retry if context else None
    translated = translate(error, rule, attempt=attempts.number, tainted=attempts.tainted)
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

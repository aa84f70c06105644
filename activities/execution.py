"""From a Temporal activity to an action and back.

Temporal calls every action with the step's `with` and its context, both plain JSON. Around the action stand the time
limit (so that an attempt which the server has given up ends here too), the heartbeat (so that a cancellation arrives
in actions that never think of it), and the translator of errors.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
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
        async with asyncio.timeout(_seconds_left()), _beating(attempts) as heartbeat:
            info = activity.info()
            return await action(arguments, Call(context, resources, info.attempt, info.scheduled_time, heartbeat))
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


@asynccontextmanager
async def _beating(attempts: Attempts) -> AsyncIterator[Callable[[Json], None]]:
    pulse = _Pulse(attempts)
    if not attempts.recorded:
        yield pulse.ignore
        return
    limit = activity.info().heartbeat_timeout
    beats = asyncio.create_task(pulse.go_on(limit.total_seconds() / BEATS_PER_TIMEOUT if limit else HEARTBEAT_SECONDS))
    try:
        yield pulse.beat
    finally:
        beats.cancel()


class _Pulse:
    """Repeats the last progress, so that a beat of its own does not hide what the action said."""

    def __init__(self, attempts: Attempts) -> None:
        self._attempts = attempts
        self._progress: Json = None

    def beat(self, progress: Json) -> None:
        self._progress = progress
        activity.heartbeat(self._attempts.alive(progress))

    def ignore(self, progress: Json) -> None:
        self._progress = progress

    async def go_on(self, every: float) -> None:
        while True:
            await asyncio.sleep(every)
            activity.heartbeat(self._attempts.alive(self._progress))

"""When activities were queued and taken: each remote attempt is told to the projection as it begins.

The moments are the server's own, so those of the last attempt are found again in the history. Local activities wait
in no queue. An attempt that is being cut off tells nothing more; its end is when the run takes the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.attempts import earlier_of
from store.runs import AttemptRow


class AttemptInterceptor(Interceptor):
    """Give it to a worker that carries out activities.

    Args:
        put: Takes the row of each attempt.
    """

    def __init__(self, put: Callable[[AttemptRow], None]) -> None:
        """Hand each attempt to `put`."""
        self._put = put

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Return the interceptor of one activity."""
        return _Attempts(next, self._put)


class _Attempts(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, put: Callable[[AttemptRow], None]) -> None:
        super().__init__(next)
        self._put = put

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info, run = activity.info(), run_of(input.args)
        if run is not None and not info.is_local:
            number, scheduled_at = info.attempt, info.scheduled_time
            if (earlier := earlier_of(input.args)) is not None:
                number, scheduled_at = number + earlier.deliveries, earlier.moment()
            self._put(AttemptRow(run, info.activity_id, number, scheduled_at, info.started_time))
        return await super().execute_activity(input)


def run_of(arguments: Any) -> str | None:
    """Return the run for which an activity with these arguments is carried out; None = it is none of ours."""
    context = arguments[1] if len(arguments) > 1 else None
    run = context.get("run") if isinstance(context, Mapping) else None
    return run if isinstance(run, str) else None

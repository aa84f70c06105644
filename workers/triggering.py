"""Starting a run of a schedule now, and telling what became of it.

Temporal takes the wish and answers before anything is done. So the schedule is looked at until it shows a run, a start
that was skipped, or one that waits; where none of that comes soon, that is said, and no more is claimed.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from temporalio.client import Client, ScheduleOverlapPolicy

from workers.scheduled import Made, Scheduled, schedule_named
from workflows.language.triggers import Overlap

_LOOK_EVERY = timedelta(milliseconds=100)
_LOOK_FOR = timedelta(seconds=10)
_LETS_WAIT = frozenset({"buffer_one", "buffer_all", "cancel_other"})


@dataclass(frozen=True)
class Triggered:
    """What became of a start that was asked for.

    Attributes:
        outcome: `started`; `skipped`, because the run before goes on; `waiting` for the end of the run before; `asked`
            where Temporal has not said what it does.
        run: The run, where it was started.
    """

    outcome: Literal["started", "skipped", "waiting", "asked"]
    run: Made | None = None


async def trigger(client: Client, schedule: Scheduled, overlap: Overlap | None = None) -> Triggered:
    """Start a run of a schedule, paused or not, and wait until Temporal shows what it did.

    Args:
        client: Connected client.
        schedule: The schedule as it was just before.
        overlap: What to do while the run before goes on, instead of what the schedule says.

    Raises:
        RPCError: Temporal refuses, or is away.
    """
    policy = ScheduleOverlapPolicy[overlap.upper()] if overlap else None
    await asyncio.sleep(_until_another_second(schedule, datetime.now(UTC)).total_seconds())
    await client.get_schedule_handle(schedule.id).trigger(overlap=policy)
    lets_wait = (overlap or schedule.overlap) in _LETS_WAIT
    try:
        async with asyncio.timeout(_LOOK_FOR.total_seconds()):
            while (seen := await _seen(client, schedule, lets_wait=lets_wait)) is None:  # noqa: ASYNC110 - Temporal tells nobody
                await asyncio.sleep(_LOOK_EVERY.total_seconds())
            return seen
    except TimeoutError:
        return Triggered("asked")


def _until_another_second(schedule: Scheduled, now: datetime) -> timedelta:
    """Return how long to wait: Temporal names a run of a schedule after the second, and makes no second one of it."""
    if not schedule.recent:
        return timedelta(0)
    over = schedule.recent[-1].scheduled_at.replace(microsecond=0) + timedelta(seconds=1)
    return min(max(over - now, timedelta(0)), timedelta(seconds=1))


async def _seen(client: Client, before: Scheduled, *, lets_wait: bool) -> Triggered | None:
    now = await schedule_named(client, before.id)
    if now is None:
        return None
    known = {run.run_id for run in before.recent}
    if fresh := [run for run in now.recent if run.run_id not in known]:
        return Triggered("started", fresh[-1])
    if now.skipped > before.skipped:
        return Triggered("skipped")
    # A start also waits for the moment in which it is being made; only one behind a run waits for people to see.
    return Triggered("waiting") if lets_wait and now.followed and now.waiting > before.waiting else None

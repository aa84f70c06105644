"""What Temporal knows of the schedules that a task queue owns: when they start runs, and what became of the starts.

Reads, and changes nothing: `workers.schedules` makes schedules what the definitions name, and operators pause and
start them. Whatever another task queue, or somebody else, made is left out. The list of Temporal lags behind and has no
counts, so each schedule in it is described, a few at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from temporalio.client import (
    Client,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionResult,
    ScheduleDescription,
    ScheduleListDescription,
    ScheduleSpec,
)

from workers.schedules import PREFIX, describe, owner_of
from workflows.language.triggers import Overlap
from workflows.temporal.statuses import OPEN

_AT_ONCE = 8


@dataclass(frozen=True)
class Made:
    """A start that a schedule made.

    Attributes:
        workflow_id: Workflow id of the run.
        run_id: Its first execution.
        scheduled_at: The time for which it was started.
        started_at: When it was started.
    """

    workflow_id: str
    run_id: str
    scheduled_at: datetime
    started_at: datetime


@dataclass(frozen=True)
class Scheduled:
    """A schedule as Temporal keeps it. The counts are since it was created.

    Attributes:
        id: Id of the Temporal schedule.
        owner: Task queue that owns it; None where it is not one of ours.
        spec: When it starts runs, as Temporal has read the cron expression.
        overlap: What becomes of a start while the run before it still goes on.
        catch_up: How late a missed start is still made.
        paused: Whether it starts nothing by itself.
        note: What was said when it was paused or resumed.
        fires: Its next ten times; those of a paused one are told too.
        recent: The last ten starts, the latest one last.
        starts: How many starts it made.
        missed: Starts that were not made because Temporal was away for longer than `catch_up`.
        skipped: Starts that were not made because the run before was going on.
        dropped: Starts that were not made because too many waited.
        waiting: Starts that wait for the end of the run before.
        followed: Whether it waits for a run's end; never where runs may overlap (`allow_all`).
    """

    id: str
    owner: str | None
    spec: ScheduleSpec
    overlap: Overlap
    catch_up: timedelta
    paused: bool
    note: str
    fires: tuple[datetime, ...]
    recent: tuple[Made, ...]
    starts: int
    missed: int
    skipped: int
    dropped: int
    waiting: int
    followed: bool

    @property
    def name(self) -> str:
        """What people call it: the definition and the number of the schedule in it."""
        return self.id.removeprefix(PREFIX)

    @property
    def definition(self) -> str:
        """Id of the definition whose runs it starts."""
        return self.name.rpartition("/")[0]


async def owned_schedules(client: Client, task_queue: str) -> list[Scheduled]:
    """Return the schedules that a task queue owns, by name; one that was just made may be missing for a moment.

    Raises:
        RPCError: Temporal refuses, or is away.
    """
    listed = [each async for each in await client.list_schedules() if each.id.startswith(PREFIX)]
    limit = asyncio.Semaphore(_AT_ONCE)

    async def looked(each: ScheduleListDescription) -> Scheduled | None:
        async with limit:
            return await schedule_named(client, each.id) if owner_of(await each.memo()) == task_queue else None

    found = await asyncio.gather(*(looked(each) for each in listed))
    return sorted((each for each in found if each is not None), key=lambda each: each.id)


async def schedule_named(client: Client, identity: str) -> Scheduled | None:
    """Return the schedule with this id, whoever owns it, or None where there is none.

    Raises:
        RPCError: Temporal refuses, or is away.
    """
    found = await describe(client.get_schedule_handle(identity))
    return None if found is None else _scheduled(found, owner_of(await found.memo()))


async def running_now(client: Client, identity: str) -> int:
    """Count the runs of a schedule that go on now; one that was just started may be missing for a moment.

    Temporal's visibility is asked, because a schedule itself keeps no account of runs that may overlap.

    Raises:
        RPCError: Temporal refuses, or is away.
    """
    query = f"TemporalScheduledById = '{identity}' AND {OPEN}"
    return (await client.count_workflows(query)).count


def _scheduled(found: ScheduleDescription, owner: str | None) -> Scheduled:
    schedule, info, raw = found.schedule, found.info, found.raw_description.info
    return Scheduled(
        id=found.id,
        owner=owner,
        spec=schedule.spec,
        overlap=cast("Overlap", schedule.policy.overlap.name.lower()),
        catch_up=schedule.policy.catchup_window or timedelta(),
        paused=schedule.state.paused,
        note=schedule.state.note or "",
        fires=tuple(info.next_action_times),
        recent=_recent(info.recent_actions),
        starts=info.num_actions,
        missed=info.num_actions_missed_catchup_window,
        skipped=info.num_actions_skipped_overlap,
        dropped=raw.buffer_dropped,
        waiting=raw.buffer_size,
        followed=bool(info.running_actions),
    )


def _recent(results: Sequence[ScheduleActionResult]) -> tuple[Made, ...]:
    return tuple(
        Made(each.action.workflow_id, each.action.first_execution_run_id, each.scheduled_at, each.started_at)
        for each in results
        if isinstance(each.action, ScheduleActionExecutionStartWorkflow)
    )

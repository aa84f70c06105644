"""Schedules: makes Temporal's schedules equal to those that the definitions name.

Each schedule trigger is one Temporal schedule, `saga/<definition>/<n>` (n counts the definition's schedules from 1,
so that a changed cron expression is an update in place). Two marks make that safe. The schedule's memo says which
task queue owns it: what others made is never touched. The memo of its action holds a fingerprint of what was last
applied: a schedule is only updated when its definition changed, and `paused` only when the definition's own
`paused` changed, so that a pause set by an operator stays.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from temporalio.api.common.v1 import Payload
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleDescription,
    ScheduleHandle,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode

from contracts.errors import PermanentError
from contracts.json import Json
from contracts.names import ATTRIBUTE_DEFINITION, workflow_id
from workflows.language.expressions.model import ExpressionFailure
from workflows.language.library import Library
from workflows.language.triggers import Definition, ScheduleTrigger

PREFIX = "saga/"
_MARK = "sagawright"
_FIRE_TIMES = 5
_DEFINITION = SearchAttributeKey.for_keyword(ATTRIBUTE_DEFINITION)


class ForeignScheduleError(PermanentError):
    """A schedule of this name exists and belongs to somebody else: rename the definition, or remove the schedule."""

    code = "foreign-schedule"


class ScheduleInputError(PermanentError):
    """The input of a schedule is fixed when it is deployed: it may hold no expression that needs a run or an event."""

    code = "schedule-input"


@dataclass(frozen=True)
class WantedSchedule:
    """A schedule as a definition names it.

    Attributes:
        id: Id of the Temporal schedule.
        definition: Id of the definition that it starts.
        trigger: When, and how.
        input: Input of the runs it starts.
    """

    id: str
    definition: str
    trigger: ScheduleTrigger
    input: Json

    @property
    def fingerprint(self) -> str:
        """Digest of everything that an update would change, besides `paused`."""
        trigger = self.trigger
        content = [trigger.cron, trigger.timezone, trigger.overlap, trigger.catch_up, trigger.jitter, self.input]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class ScheduleChange:
    """What happened to one schedule, or would happen.

    Attributes:
        id: Id of the Temporal schedule.
        change: What was done.
        paused: Whether it is paused now.
        fires: The next five starts, in the schedule's own time zone; empty where nothing is known yet.
    """

    id: str
    change: Literal["created", "updated", "unchanged", "removed"]
    paused: bool = False
    fires: tuple[datetime, ...] = ()


class _Nothing:
    """What the input of a schedule may refer to."""

    def root(self, name: str) -> object:
        raise KeyError(name)

    def step(self, name: str) -> object:
        raise KeyError(name)

    def uuid(self) -> str:
        raise KeyError("uuid")


def owner_of(memo: Mapping[str, Any]) -> str | None:
    """Return the task queue that owns the schedule with this memo; None where it is not one of ours."""
    mark = memo.get(_MARK)
    owner = mark.get("task_queue") if isinstance(mark, Mapping) else None
    return owner if isinstance(owner, str) else None


def wanted_schedules(library: Library) -> Iterator[WantedSchedule]:
    """Yield the schedules that the current versions of all definitions name.

    Raises:
        ScheduleInputError: An input cannot be told without a run.
    """
    for definition in library.current():
        triggers = (trigger for trigger in definition.triggers if isinstance(trigger, ScheduleTrigger))
        for number, trigger in enumerate(triggers, start=1):
            yield _wanted(definition, trigger, number)


async def reconcile(
    client: Client, library: Library, task_queue: str, *, dry_run: bool = False
) -> tuple[ScheduleChange, ...]:
    """Create, update and remove schedules until they are those of the library.

    Args:
        client: Connected client; its namespace is the one that is reconciled.
        library: Every definition that is deployed: schedules of others that this task queue owns are removed.
        task_queue: Where the runs start; also the owner of the schedules.
        dry_run: Say what would be done, and do nothing.

    Raises:
        ForeignScheduleError: A name is taken by a schedule that this task queue does not own.
        ScheduleInputError: An input cannot be told without a run; nothing was changed.
        RPCError: Temporal refuses, or is away.
    """
    reconciler = _Reconciler(client, task_queue, dry_run)
    wanted = tuple(wanted_schedules(library))
    changes = [await reconciler.apply(schedule) for schedule in wanted]
    changes += await reconciler.remove_others({schedule.id for schedule in wanted})
    return tuple(changes)


@dataclass(frozen=True)
class _Reconciler:
    client: Client
    task_queue: str
    dry_run: bool

    async def apply(self, wanted: WantedSchedule) -> ScheduleChange:
        handle = self.client.get_schedule_handle(wanted.id)
        found = await describe(handle)
        if found is None:
            return await self._create(handle, wanted)
        if not self._owns(await found.memo()):
            raise ForeignScheduleError(f"The schedule is {wanted.id!r}.")
        applied = await self._applied(found)
        if applied == _applied_mark(wanted):
            return _change(wanted, "unchanged", found)
        return await self._update(handle, wanted, found, applied)

    async def remove_others(self, wanted: set[str]) -> list[ScheduleChange]:
        changes = []
        async for listed in await self.client.list_schedules():
            if listed.id.startswith(PREFIX) and listed.id not in wanted and self._owns(await listed.memo()):
                if not self.dry_run:
                    await _delete(self.client.get_schedule_handle(listed.id))
                changes.append(ScheduleChange(listed.id, "removed"))
        return sorted(changes, key=lambda change: change.id)

    async def _create(self, handle: ScheduleHandle, wanted: WantedSchedule) -> ScheduleChange:
        if self.dry_run:
            return ScheduleChange(wanted.id, "created", wanted.trigger.paused)
        memo = {_MARK: {"definition": wanted.definition, "task_queue": self.task_queue}}
        schedule = self._schedule(wanted, ScheduleState(paused=wanted.trigger.paused))
        await self.client.create_schedule(wanted.id, schedule, memo=memo)
        return _change(wanted, "created", await handle.describe())

    async def _update(
        self, handle: ScheduleHandle, wanted: WantedSchedule, found: ScheduleDescription, applied: Mapping[str, Any]
    ) -> ScheduleChange:
        if self.dry_run:
            return _change(wanted, "updated", found)
        definition_changed_pause = applied.get("paused") != wanted.trigger.paused

        def updated(current: ScheduleUpdateInput) -> ScheduleUpdate:
            state = current.description.schedule.state
            if definition_changed_pause:
                state.paused = wanted.trigger.paused
            return ScheduleUpdate(self._schedule(wanted, state))

        await handle.update(updated)
        return _change(wanted, "updated", await handle.describe())

    def _schedule(self, wanted: WantedSchedule, state: ScheduleState) -> Schedule:
        trigger = wanted.trigger
        spec = ScheduleSpec(
            cron_expressions=[trigger.cron],
            time_zone_name=trigger.timezone,
            jitter=timedelta(seconds=trigger.jitter) or None,
        )
        policy = SchedulePolicy(
            overlap=ScheduleOverlapPolicy[trigger.overlap.upper()],
            catchup_window=timedelta(seconds=trigger.catch_up),
        )
        return Schedule(self._action(wanted), spec, policy, state)

    def _action(self, wanted: WantedSchedule) -> ScheduleActionStartWorkflow:
        number = wanted.id.rpartition("/")[2]
        return ScheduleActionStartWorkflow(
            wanted.definition,
            wanted.input,
            # Temporal appends the time of the start, which makes the business key `schedule-1-2026-01-02T03:00:00Z`.
            id=workflow_id(wanted.definition, f"schedule-{number}"),
            task_queue=self.task_queue,
            memo={_MARK: _applied_mark(wanted)},
            typed_search_attributes=TypedSearchAttributes([SearchAttributePair(_DEFINITION, wanted.definition)]),
        )

    def _owns(self, memo: Mapping[str, Any]) -> bool:
        return owner_of(memo) == self.task_queue

    async def _applied(self, found: ScheduleDescription) -> Mapping[str, Any]:
        action = found.schedule.action
        payload = action.memo.get(_MARK) if isinstance(action, ScheduleActionStartWorkflow) and action.memo else None
        if not isinstance(payload, Payload):
            return {}
        (mark,) = await self.client.data_converter.decode([payload])
        return mark if isinstance(mark, Mapping) else {}


def _wanted(definition: Definition, trigger: ScheduleTrigger, number: int) -> WantedSchedule:
    identity = f"{PREFIX}{definition.id}/{number}"
    return WantedSchedule(identity, definition.id, trigger, _input(identity, trigger))


def _input(identity: str, trigger: ScheduleTrigger) -> Json:
    if trigger.input is None:
        return {}
    try:
        return trigger.input.evaluate(_Nothing())
    except ExpressionFailure as failure:
        raise ScheduleInputError(f"Schedule {identity}: {failure}.") from failure


def _applied_mark(wanted: WantedSchedule) -> dict[str, Json]:
    return {"schedule": wanted.id, "fingerprint": wanted.fingerprint, "paused": wanted.trigger.paused}


def _change(
    wanted: WantedSchedule, change: Literal["created", "updated", "unchanged"], found: ScheduleDescription
) -> ScheduleChange:
    fires = _in_zone(found.info.next_action_times, wanted.trigger.timezone)
    return ScheduleChange(wanted.id, change, found.schedule.state.paused, fires)


def _in_zone(times: Sequence[datetime], timezone: str) -> tuple[datetime, ...]:
    zone = ZoneInfo(timezone)
    return tuple(time.astimezone(zone) for time in times[:_FIRE_TIMES])


async def describe(handle: ScheduleHandle) -> ScheduleDescription | None:
    """Return what Temporal knows of a schedule, whoever owns it, or None where there is none.

    Raises:
        RPCError: Temporal refuses, or is away.
    """
    try:
        return await handle.describe()
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return None
        raise


async def _delete(handle: ScheduleHandle) -> None:
    try:
        await handle.delete()
    except RPCError as error:
        # The list lags behind: the schedule may be gone already.
        if error.status != RPCStatusCode.NOT_FOUND:
            raise

"""A worker that is stopped in the middle of an action, and one that lacks an action: neither is an attempt."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, timedelta
from typing import Any

import pytest
from pydantic import BaseModel
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from activities.action import Action, Call, action
from activities.outbound import open_client
from activities.registry import temporal_activities
from activities.resources import Resources
from contracts.errors import TemporaryError
from contracts.json import Json
from store.database import Database
from tests.support.waiting import eventually
from tests.workers.projection import rows
from tests.workflows.temporal.hosting import Ledger
from tests.workflows.temporal.plans import act, definition, library, plan, undo
from workers.converter import data_converter
from workers.detector import find_stuck
from workers.rebuilding import rebuild
from workers.worker import hosting_runs
from workflows.language.plan import Execution, Plan, Retry
from workflows.temporal.classes import workflow_classes
from workflows.temporal.interceptor import ShellInterceptor
from workflows.temporal.starting import StartRequest, start_run

ONCE = Execution(attempt_timeout=30, retry=Retry(attempts=1))
TWICE = Execution(attempt_timeout=30, retry=Retry(attempts=2, backoff=0.01))
LOCALLY = Execution(local=True, attempt_timeout=30, retry=Retry(attempts=1))


class Given(BaseModel):
    """No members."""


class Made(BaseModel):
    """Which attempt it was, and whether an earlier one may have had an effect."""

    attempt: int
    tainted: bool


class Script:
    """What each delivery of the action does, in order: `hang`, `fail` for certain, or `end`."""

    def __init__(self, *deeds: str) -> None:
        """Follow the script from its beginning."""
        self._deeds = list(deeds)
        self.calls: list[tuple[int, bool]] = []

    def action(self) -> Action[Any, Any]:
        """Return the action."""

        async def follow(given: Given, call: Call) -> Made:
            """Do what comes next."""
            deed = self._deeds[len(self.calls)]
            self.calls.append((call.attempt, call.tainted))
            if deed == "hang":
                await asyncio.Event().wait()
            if deed == "fail":
                raise TemporaryError("as the script says")
            return Made(attempt=call.attempt, tainted=call.tainted)

        follow.__annotations__ = {"given": Given, "call": Call, "return": Made}
        return action("test.scripted")(follow)

    async def came_to(self, count: int) -> None:
        """Wait until so many deliveries have begun."""

        async def so_many() -> bool:
            return len(self.calls) >= count

        await eventually(so_many)


class Place:
    """A task queue on which workers come and go, and the run on it."""

    def __init__(self, client: Client, entry: Plan, script: Script) -> None:
        """Nothing runs yet."""
        self.client, self.entry, self.script = client, entry, script
        self.queue = f"stops-{uuid.uuid4().hex[:8]}"

    async def start(self) -> WorkflowHandle[Any, Any]:
        """Start the run."""
        started = await start_run(self.client, self.queue, StartRequest(definition(self.entry), {}))
        return self.client.get_workflow_handle(started.workflow_id)

    @asynccontextmanager
    async def worker(self, actions: Sequence[Action[Any, Any]] | None = None) -> AsyncIterator[None]:
        """Run a worker inside the block, which cuts actions off at once when it is stopped."""
        known = [self.script.action()] if actions is None else list(actions)
        names = frozenset([*(each.name for each in known), "undo"])
        async with (
            open_client() as http,
            hosting_runs(
                self.client,
                task_queue=self.queue,
                workflows=workflow_classes(lambda: library(self.entry)),
                activities=[*temporal_activities(Resources(http), tuple(known)), Ledger()._undo()],
                interceptors=[ShellInterceptor(actions=names)],
                graceful_shutdown_timeout=timedelta(milliseconds=50),
                max_cached_workflows=0,
                max_concurrent_workflow_task_polls=1,
            ),
        ):
            yield


def scripted(execution: Execution, **more: Any) -> Plan:
    """A run of one step."""
    return plan("scripted", act("step", "test.scripted", {}, execution=execution, **more))


async def problem_of(run: WorkflowHandle[Any, Any]) -> dict[str, Any]:
    """Return the problem with which a run fails."""
    with pytest.raises(WorkflowFailureError) as caught:
        await run.result()
    assert isinstance(caught.value.cause, ApplicationError)
    document = caught.value.cause.details[0]
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize("execution", [ONCE, TWICE])
async def test_step_cut_off_by_a_stop_goes_on_with_the_next_worker(client: Client, execution: Execution) -> None:
    """However often: no stop is an attempt, but each may have had an effect."""
    script = Script("hang", "hang", "hang", "end")
    place = Place(client, scripted(execution), script)
    run = await place.start()
    for stops in (1, 2, 3):
        async with place.worker():
            await script.came_to(stops)
    async with place.worker():
        await run.result()
    assert script.calls == [(1, False), (1, True), (1, True), (1, True)]
    await replayed(place, run)


async def test_projection_counts_each_delivery_of_a_step(client: Client, database: Database) -> None:
    """Also those that were no attempts, in whichever activity, from the time at which the step was scheduled first."""
    script = Script("fail", "hang", "hang", "end")
    place = Place(client, scripted(TWICE), script)
    run = await place.start()
    for stops in (2, 3):
        async with place.worker():
            await script.came_to(stops)
    async with place.worker():
        await run.result()
    wanted = {run.id: [(await run.describe()).run_id]}
    await rebuild(client, database, workflow_classes(lambda: library(place.entry)), wanted)
    [row] = (await rows(database))["attempts"]
    history = await run.fetch_history()
    scheduled = [event for event in history.events if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED]
    assert len(scheduled) == 2
    assert row["attempts"] == 4
    assert abs(row["scheduled_at"] - scheduled[0].event_time.ToDatetime(UTC)) < timedelta(milliseconds=5)


async def test_failures_of_a_step_count_beside_its_stops(client: Client) -> None:
    """Of two attempts both are made, one before and one after the stops; then it fails."""
    script = Script("fail", "hang", "hang", "fail", "end")
    place = Place(client, scripted(TWICE, undo=undo()), script)
    run = await place.start()
    for stops in (2, 3):
        async with place.worker():
            await script.came_to(stops)
    async with place.worker():
        problem = await problem_of(run)
    assert script.calls == [(1, False), (2, False), (2, True), (2, True)]
    assert problem["outcome"] == "unknown"


async def test_local_step_cut_off_by_a_stop_goes_on_with_the_next_worker(client: Client) -> None:
    """It is in no history yet, so nothing counts it."""
    script = Script("hang", "end")
    place = Place(client, scripted(LOCALLY), script)
    run = await place.start()
    async with place.worker():
        await script.came_to(1)
    async with place.worker():
        await run.result()
    assert script.calls == [(1, False), (1, False)]


async def test_run_that_is_cancelled_while_its_step_is_cut_off_is_cancelled(client: Client) -> None:
    """The step is not begun again, and is undone: its effect may have happened."""
    script = Script("hang", "end")
    place = Place(client, scripted(ONCE, undo=undo()), script)
    run = await place.start()
    async with place.worker():
        await script.came_to(1)
    await run.cancel()
    async with place.worker():
        with pytest.raises(WorkflowFailureError):
            await run.result()
        history = await run.fetch_history()
    names = [
        event.activity_task_scheduled_event_attributes.activity_type.name
        for event in history.events
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    ]
    assert names[-1] == "undo"
    assert len(script.calls) == 1


@pytest.mark.parametrize("execution", [ONCE, TWICE])
async def test_action_that_a_worker_lacks_waits_for_another(client: Client, execution: Execution) -> None:
    """Nothing counts it as an attempt, and `saga stuck` names the action and the queue."""
    script = Script("end")
    place = Place(client, scripted(execution), script)
    run = await place.start()

    async def is_named() -> bool:
        found = [each for each in await find_stuck(client, None, [], queue=place.queue) if each.workflow_id == run.id]
        return any(
            (each.cause, each.step) == ("no-worker", "step")
            and "has no action 'test.scripted'" in each.what
            and place.queue in each.cure
            for each in found
        )

    async with place.worker([]):
        await eventually(is_named)
    async with place.worker():
        result: Json = await run.result()
    assert script.calls == [(1, False)]
    assert result == {"attempt": 1, "tainted": False}
    await replayed(place, run)


async def test_local_action_that_a_worker_lacks_waits_for_another(client: Client) -> None:
    """Its workflow task fails with the reason, until a worker takes it that has the action."""
    script = Script("end")
    place = Place(client, scripted(LOCALLY), script)
    run = await place.start()

    async def is_named() -> bool:
        found = [each for each in await find_stuck(client, None, [], queue=place.queue) if each.workflow_id == run.id]
        return any(each.cause == "workflow-task-fails" and "has the action" in each.cure for each in found)

    async with place.worker([]):
        await eventually(is_named)
    async with place.worker():
        await run.result()
    assert script.calls == [(1, False)]


async def replayed(place: Place, run: WorkflowHandle[Any, Any]) -> None:
    """See that the history replays on a worker that knows nothing else."""
    replayer = Replayer(
        workflows=workflow_classes(lambda: library(place.entry)),
        workflow_runner=UnsandboxedWorkflowRunner(),
        interceptors=[ShellInterceptor()],
        data_converter=data_converter(),
    )
    await replayer.replay_workflow(await run.fetch_history())

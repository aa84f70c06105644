"""The schedule reconciler against a real Temporal server."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleDescription,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    ScheduleSpec,
)

from tests.support.waiting import PATIENCE_SECONDS
from workers.schedules import ForeignScheduleError, ScheduleChange, ScheduleInputError, reconcile, wanted_schedules
from workflows.language.expressions.template import compile_template
from workflows.language.library import Library
from workflows.language.plan import Plan
from workflows.language.triggers import Definition, ScheduleTrigger

NIGHTLY = ScheduleTrigger("0 3 * * 1-5", "Europe/Berlin", "buffer_one", catch_up=3600, jitter=300)


@pytest.fixture
def name() -> str:
    """Return the id of a definition that no other test has."""
    return f"nightly-{uuid.uuid4().hex[:8]}"


def library_of(name: str, *triggers: ScheduleTrigger) -> Library:
    """Return a library with one definition that has these schedules."""
    plan = Plan(id=name, version="1.0.0", name=name, nodes={}, entry="none")
    return Library.of([Definition(plan, triggers)])


async def described(client: Client, identity: str) -> ScheduleDescription:
    """Return what the server knows of a schedule."""
    return await client.get_schedule_handle(identity).describe()


def only(changes: Sequence[ScheduleChange]) -> ScheduleChange:
    """Return the only change."""
    (change,) = changes
    return change


async def removed(client: Client, name: str, library: Library, *, dry_run: bool = False) -> set[str]:
    """Reconcile until the server's list, which lags behind, has shown what is to be removed."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            changes = await reconcile(client, library, name, dry_run=dry_run)
            if gone := {change.id for change in changes if change.change == "removed"}:
                return gone


async def test_reconcile_creates_a_schedule_as_the_trigger_says(client: Client, name: str) -> None:
    """Cron, zone, overlap, catch-up, jitter and the action are those of the definition."""
    change = only(await reconcile(client, library_of(name, NIGHTLY), name))
    schedule = (await described(client, f"saga/{name}/1")).schedule
    assert (change.id, change.change, change.paused) == (f"saga/{name}/1", "created", False)
    assert schedule.policy.overlap == ScheduleOverlapPolicy.BUFFER_ONE
    assert schedule.policy.catchup_window == timedelta(hours=1)
    assert (schedule.spec.time_zone_name, schedule.spec.jitter) == ("Europe/Berlin", timedelta(minutes=5))
    assert isinstance(schedule.action, ScheduleActionStartWorkflow)
    assert (schedule.action.workflow, schedule.action.task_queue) == (name, name)


async def test_reconcile_tells_five_fire_times_in_the_schedules_zone(client: Client, name: str) -> None:
    """They lie ahead, in order, and carry the zone of the schedule."""
    trigger = ScheduleTrigger("0 3 * * *", "Asia/Tokyo")
    fires = only(await reconcile(client, library_of(name, trigger), name)).fires
    assert len(fires) == 5
    assert [time.hour for time in fires] == [3] * 5
    assert {str(time.tzinfo) for time in fires} == {"Asia/Tokyo"}
    assert list(fires) == sorted(fires)
    assert fires[0] > datetime.now(UTC)


async def test_reconcile_leaves_a_schedule_alone_that_did_not_change(client: Client, name: str) -> None:
    """The second time nothing is written."""
    await reconcile(client, library_of(name, NIGHTLY), name)
    before = await described(client, f"saga/{name}/1")
    change = only(await reconcile(client, library_of(name, NIGHTLY), name))
    after = await described(client, f"saga/{name}/1")
    assert change.change == "unchanged"
    assert len(change.fires) == 5
    assert after.info.last_updated_at == before.info.last_updated_at


@pytest.mark.parametrize(
    "changed",
    [
        ScheduleTrigger("30 4 * * *", "Europe/Berlin", "buffer_one", 3600, 300),
        ScheduleTrigger(NIGHTLY.cron, "Europe/Paris", "buffer_one", 3600, 300),
        ScheduleTrigger(NIGHTLY.cron, "Europe/Berlin", "skip", 3600, 300),
        ScheduleTrigger(NIGHTLY.cron, "Europe/Berlin", "buffer_one", 60, 300),
        ScheduleTrigger(NIGHTLY.cron, "Europe/Berlin", "buffer_one", 3600, 0),
        ScheduleTrigger(NIGHTLY.cron, "Europe/Berlin", "buffer_one", 3600, 300, input=compile_template({"mode": "x"})),
    ],
    ids=["cron", "timezone", "overlap", "catch-up", "jitter", "input"],
)
async def test_reconcile_updates_in_place(client: Client, name: str, changed: ScheduleTrigger) -> None:
    """Each setting counts, and the schedule stays the same one with its history."""
    await reconcile(client, library_of(name, NIGHTLY), name)
    created = (await described(client, f"saga/{name}/1")).info.created_at
    change = only(await reconcile(client, library_of(name, changed), name))
    assert change.change == "updated"
    assert (await described(client, f"saga/{name}/1")).info.created_at == created
    assert only(await reconcile(client, library_of(name, changed), name)).change == "unchanged"


async def test_reconcile_keeps_an_operators_pause_through_an_update(client: Client, name: str) -> None:
    """Pause and note survive a change of the definition, and are reported."""
    await reconcile(client, library_of(name, NIGHTLY), name)
    await client.get_schedule_handle(f"saga/{name}/1").pause(note="holiday")
    assert only(await reconcile(client, library_of(name, NIGHTLY), name)).paused
    change = only(await reconcile(client, library_of(name, ScheduleTrigger("0 5 * * *")), name))
    state = (await described(client, f"saga/{name}/1")).schedule.state
    assert (change.change, change.paused) == ("updated", True)
    assert (state.paused, state.note) == (True, "holiday")


async def test_reconcile_applies_paused_when_the_definition_changed_it(client: Client, name: str) -> None:
    """`paused` counts at the creation and whenever the definition's own value changes, not in between."""
    paused = ScheduleTrigger("0 3 * * *", paused=True)
    assert only(await reconcile(client, library_of(name, paused), name)).paused
    await client.get_schedule_handle(f"saga/{name}/1").unpause()
    change = only(await reconcile(client, library_of(name, paused), name))
    assert (change.change, change.paused) == ("unchanged", False)
    await reconcile(client, library_of(name, ScheduleTrigger("0 3 * * *")), name)
    change = only(await reconcile(client, library_of(name, paused), name))
    assert (change.change, change.paused) == ("updated", True)


async def test_reconcile_removes_what_is_no_longer_wanted(client: Client, name: str) -> None:
    """Of two schedules the second goes when the definition drops it; a dry run only says so."""
    await reconcile(client, library_of(name, NIGHTLY, ScheduleTrigger("0 6 * * *")), name)
    assert await removed(client, name, library_of(name, NIGHTLY), dry_run=True) == {f"saga/{name}/2"}
    assert (await described(client, f"saga/{name}/2")).id == f"saga/{name}/2"
    assert await removed(client, name, library_of(name, NIGHTLY)) == {f"saga/{name}/2"}
    assert (await described(client, f"saga/{name}/1")).id == f"saga/{name}/1"


async def test_reconcile_removes_nothing_that_others_own(client: Client, name: str) -> None:
    """A schedule of another task queue, and one that somebody made under our prefix, stay."""
    spec = ScheduleSpec(intervals=[ScheduleIntervalSpec(timedelta(days=1))])
    foreign = Schedule(ScheduleActionStartWorkflow("x", id="x", task_queue="x"), spec)
    await client.create_schedule(f"saga/by-hand-{name}/1", foreign)
    await reconcile(client, library_of(f"other-{name}", NIGHTLY), f"other-{name}")
    await reconcile(client, library_of(name, NIGHTLY), name)
    assert await removed(client, name, Library()) == {f"saga/{name}/1"}
    assert (await described(client, f"saga/by-hand-{name}/1")).schedule.spec.intervals
    assert (await described(client, f"saga/other-{name}/1")).schedule.spec.jitter == timedelta(minutes=5)


async def test_reconcile_refuses_a_name_that_somebody_else_took(client: Client, name: str) -> None:
    """It is neither overwritten nor ignored."""
    await reconcile(client, library_of(name, NIGHTLY), f"other-{name}")
    with pytest.raises(ForeignScheduleError, match=f"saga/{name}/1"):
        await reconcile(client, library_of(name, NIGHTLY), name)


async def test_reconcile_dry_run_changes_nothing(client: Client, name: str) -> None:
    """It tells what would be created and updated; the server keeps what it had."""
    assert only(await reconcile(client, library_of(name, NIGHTLY), name, dry_run=True)).change == "created"
    await reconcile(client, library_of(name, NIGHTLY), name)
    wanted = library_of(name, ScheduleTrigger("0 5 * * *"))
    assert only(await reconcile(client, wanted, name, dry_run=True)).change == "updated"
    assert (await described(client, f"saga/{name}/1")).schedule.spec.time_zone_name == "Europe/Berlin"


async def test_schedule_starts_the_definition_with_its_input(client: Client, name: str) -> None:
    """The run has the definition's type, a key of its own, the input and the search attribute."""
    trigger = ScheduleTrigger("0 3 1 1 *", input=compile_template({"mode": "nightly", "price": "$${1}"}))
    await reconcile(client, library_of(name, trigger), name)
    await client.get_schedule_handle(f"saga/{name}/1").trigger()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (runs := (await described(client, f"saga/{name}/1")).info.recent_actions):
            pass
    handle = client.get_workflow_handle(runs[0].action.workflow_id)  # type: ignore[attr-defined]  # a started workflow
    run = await handle.describe()
    started = (await handle.fetch_history()).events[0].workflow_execution_started_event_attributes
    assert run.workflow_type == name
    assert run.id.startswith(f"{name}/schedule-1-")
    assert started.input.payloads[0].data == b'{"mode":"nightly","price":"${1}"}'
    assert run.search_attributes["SagaDefinition"] == [name]


def test_wanted_schedules_refuses_an_input_that_needs_a_run(name: str) -> None:
    """There is no run and no event when a schedule is deployed."""
    trigger = ScheduleTrigger("0 3 * * *", input=compile_template({"id": "${ run.id }"}))
    with pytest.raises(ScheduleInputError, match=f"saga/{name}/1"):
        list(wanted_schedules(library_of(name, trigger)))

"""What is told of schedules, as a real Temporal server counts it: starts, misses, overlaps."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import tempfile
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client, Schedule, ScheduleActionStartWorkflow, ScheduleIntervalSpec, ScheduleSpec

from cli.stack import temporal
from cli.stack.folder import StateFolder
from tests.support.waiting import eventually
from tests.workers.test_schedules import library_of
from workers.scheduled import Scheduled, owned_schedules, running_now, schedule_named
from workers.schedules import reconcile
from workflows.language.triggers import ScheduleTrigger

YEARLY = ScheduleTrigger("0 3 1 1 *", "Europe/Berlin", "skip", 3600)


@pytest.fixture
def name() -> str:
    """Return the id of a definition, and of a task queue, that no other test has."""
    return f"kept-{uuid.uuid4().hex[:8]}"


async def kept(client: Client, identity: str) -> Scheduled:
    """Return a schedule that is there."""
    found = await schedule_named(client, identity)
    assert found is not None
    return found


@asynccontextmanager
async def server_of_our_own() -> AsyncIterator[tuple[Client, int]]:
    """Run a server that may be stopped without harm to other tests; yield a client and the server's process id."""
    with tempfile.TemporaryDirectory(prefix="saga-schedules-") as folder:
        state = StateFolder.at(Path(folder))
        async with temporal.serving(state, temporal.choose_ports(ui=False, preferred=(), preferred_ui=())) as service:
            pid = int(json.loads(state.pid_file("temporal").read_text())["pid"])
            yield await Client.connect(service.url, namespace=temporal.NAMESPACE), pid


async def test_schedule_says_when_it_starts_runs_and_how(client: Client, name: str) -> None:
    """Before its first start all counts are zero."""
    await reconcile(client, library_of(name, YEARLY), name)
    schedule = await kept(client, f"saga/{name}/1")
    assert (schedule.name, schedule.definition, schedule.owner) == (f"{name}/1", name, name)
    assert (schedule.overlap, schedule.catch_up, schedule.paused) == ("skip", timedelta(hours=1), False)
    assert (schedule.starts, schedule.missed, schedule.skipped, schedule.waiting, schedule.recent) == (0, 0, 0, 0, ())
    assert len(schedule.fires) == 10
    assert await schedule_named(client, f"saga/{name}/2") is None


async def test_owned_schedules_are_those_of_the_task_queue(client: Client, name: str) -> None:
    """Neither those of another task queue, nor one that somebody made under our prefix."""
    spec = ScheduleSpec(intervals=[ScheduleIntervalSpec(timedelta(days=1))])
    by_hand = Schedule(ScheduleActionStartWorkflow("x", id="x", task_queue="x"), spec)
    await client.create_schedule(f"saga/by-hand-{name}/1", by_hand)
    await reconcile(client, library_of(f"other-{name}", YEARLY), f"other-{name}")
    await reconcile(client, library_of(name, YEARLY, YEARLY), name)

    async def are_listed() -> bool:
        every = {each.id async for each in await client.list_schedules()}
        return {f"saga/by-hand-{name}/1", f"saga/other-{name}/1", f"saga/{name}/1", f"saga/{name}/2"} <= every

    await eventually(are_listed)
    assert [each.name for each in await owned_schedules(client, name)] == [f"{name}/1", f"{name}/2"]
    assert (await kept(client, f"saga/by-hand-{name}/1")).owner is None


async def test_overlap_is_counted_while_a_run_goes_on(client: Client, name: str) -> None:
    """The first start makes a run that nobody carries out; those after it are skipped, and counted."""
    await reconcile(client, library_of(name, ScheduleTrigger("@every 1s")), name)

    async def skips_twice() -> bool:
        return (await kept(client, f"saga/{name}/1")).skipped >= 2

    await eventually(skips_twice)
    schedule = await kept(client, f"saga/{name}/1")
    assert (schedule.starts, len(schedule.recent), schedule.followed) == (1, 1, True)
    assert schedule.recent[0].workflow_id.startswith(f"{name}/schedule-1-")

    async def runs() -> bool:
        return await running_now(client, schedule.id) == 1

    await eventually(runs)


async def test_counts_stay_when_the_definition_changes(client: Client, name: str) -> None:
    """A schedule is updated in place: what was skipped before is still told."""
    await reconcile(client, library_of(name, ScheduleTrigger("@every 1s")), name)

    async def skips() -> bool:
        return (await kept(client, f"saga/{name}/1")).skipped > 0

    await eventually(skips)
    before = await kept(client, f"saga/{name}/1")
    await reconcile(client, library_of(name, YEARLY), name)
    after = await kept(client, f"saga/{name}/1")
    assert after.spec != before.spec
    assert (after.starts, after.recent) == (1, before.recent)
    assert after.skipped >= before.skipped


@pytest.mark.fault
async def test_missed_starts_are_counted_after_an_outage(name: str) -> None:
    """What lies further back than `catch_up` when the server comes back is not started, and counted."""
    async with server_of_our_own() as (client, pid):
        await reconcile(client, library_of(name, ScheduleTrigger("@every 1s", catch_up=10)), name)
        os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(14)  # the outage: longer than 10 s, the shortest `catch_up` of the server
        finally:
            os.kill(pid, signal.SIGCONT)

        async def has_missed() -> bool:
            return (await kept(client, f"saga/{name}/1")).missed > 0

        await eventually(has_missed)
        assert (await kept(client, f"saga/{name}/1")).missed <= 14

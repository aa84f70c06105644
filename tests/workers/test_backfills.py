"""Starts for a time that is over, against a real Temporal server."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client

from tests.support.waiting import eventually
from tests.workers.test_scheduled import kept
from tests.workers.test_schedules import library_of
from workers.backfills import backfill, made_between, times_between
from workers.schedules import reconcile
from workflows.language.triggers import ScheduleTrigger

FIRST = datetime(2020, 1, 1, tzinfo=UTC)
FOURTH = datetime(2020, 1, 4, tzinfo=UTC)


@pytest.fixture
async def schedule(client: Client) -> str:
    """Return the id of a schedule at midnight in UTC; it is paused, so that it starts nothing of its own."""
    name = f"backfill-{uuid.uuid4().hex[:8]}"
    await reconcile(client, library_of(name, ScheduleTrigger("@daily", paused=True)), name)
    return f"saga/{name}/1"


async def test_times_take_the_first_instant_and_leave_the_last_out(client: Client, schedule: str) -> None:
    """A span is [since, until)."""
    times = await times_between(client, schedule, FIRST, FOURTH, 10)
    assert times == [FIRST + timedelta(days=day) for day in range(3)]
    assert await times_between(client, schedule, FIRST + timedelta(seconds=1), FIRST + timedelta(hours=23), 10) == []


async def test_times_go_on_beyond_what_the_server_tells_at_once(client: Client, schedule: str) -> None:
    """More than the 1,000 of one answer, each once; beyond `most` no more are asked for."""
    until = FIRST + timedelta(days=1_500)
    times = await times_between(client, schedule, FIRST, until, 10_000)
    assert times == [FIRST + timedelta(days=day) for day in range(1_500)]
    assert len(await times_between(client, schedule, FIRST, until, 500)) == 1_000


async def test_backfill_starts_just_the_runs_of_the_span(client: Client, schedule: str) -> None:
    """Each run has the time in its id and in Temporal's search attribute; a pause does not keep it from starting."""
    assert await made_between(client, schedule, FIRST, FOURTH) == 0
    await backfill(client, schedule, FIRST, FOURTH, "allow_all")

    async def are_made() -> bool:
        return await made_between(client, schedule, FIRST, FOURTH) >= 3

    await eventually(are_made)
    recent = (await kept(client, schedule)).recent
    assert [run.scheduled_at for run in recent] == [FIRST + timedelta(days=day) for day in range(3)]
    assert recent[0].workflow_id.endswith("/schedule-1-2020-01-01T00:00:00Z")
    assert await made_between(client, schedule, FIRST, FIRST + timedelta(days=1)) == 1
    assert (await kept(client, schedule)).paused


async def test_backfill_one_after_the_other_waits_for_the_run_before(client: Client, schedule: str) -> None:
    """With `buffer_all` the second starts when the first has ended."""
    await backfill(client, schedule, FIRST, FOURTH, "buffer_all")

    async def one_goes_on_and_two_wait() -> bool:
        now = await kept(client, schedule)
        return (now.starts, now.waiting) == (1, 2)

    await eventually(one_goes_on_and_two_wait)
    await client.get_workflow_handle((await kept(client, schedule)).recent[0].workflow_id).terminate()

    async def the_second_goes_on() -> bool:
        now = await kept(client, schedule)
        return (now.starts, now.waiting) == (2, 1)

    await eventually(the_second_goes_on)


async def test_backfill_with_jitter_starts_as_many_as_were_told(client: Client) -> None:
    """Jitter moves a start, and neither the count nor the time that a run is called by."""
    name = f"backfill-{uuid.uuid4().hex[:8]}"
    await reconcile(client, library_of(name, ScheduleTrigger("@daily", jitter=3600)), name)
    times = await times_between(client, f"saga/{name}/1", FIRST, FOURTH, 10)
    assert [time.date() for time in times] == [FIRST.date() + timedelta(days=day) for day in range(3)]
    await backfill(client, f"saga/{name}/1", FIRST, FOURTH, "allow_all")

    async def are_made() -> bool:
        return await made_between(client, f"saga/{name}/1", FIRST, FOURTH) == len(times)

    await eventually(are_made)
    ends = [run.workflow_id[-20:] for run in (await kept(client, f"saga/{name}/1")).recent]
    assert ends == ["2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z", "2020-01-03T00:00:00Z"]

"""A run of a schedule now, and what becomes of it while one goes on: against a real Temporal server."""

from __future__ import annotations

import uuid

import pytest
from temporalio.client import Client

from tests.workers.test_scheduled import YEARLY, kept
from tests.workers.test_schedules import library_of
from workers.schedules import reconcile
from workers.triggering import Triggered, trigger
from workflows.language.triggers import Overlap


@pytest.fixture
async def schedule(client: Client) -> str:
    """Return the id of a schedule that starts nothing by itself for a while."""
    name = f"trigger-{uuid.uuid4().hex[:8]}"
    await reconcile(client, library_of(name, YEARLY), name)
    return f"saga/{name}/1"


async def triggered(client: Client, identity: str, overlap: Overlap | None = None) -> Triggered:
    """Start a run of a schedule."""
    return await trigger(client, await kept(client, identity), overlap)


async def test_trigger_tells_the_run_that_it_started(client: Client, schedule: str) -> None:
    """Also where the schedule is paused; the run is there."""
    await client.get_schedule_handle(schedule).pause()
    done = await triggered(client, schedule)
    assert done.outcome == "started"
    assert done.run is not None
    description = await client.get_workflow_handle(done.run.workflow_id).describe()
    assert description.run_id == done.run.run_id


@pytest.mark.parametrize(
    ("overlap", "outcome"),
    [(None, "skipped"), ("buffer_one", "waiting"), ("terminate_other", "started"), ("allow_all", "started")],
)
async def test_trigger_tells_what_the_overlap_made_of_it(
    client: Client, schedule: str, overlap: Overlap | None, outcome: str
) -> None:
    """While a run goes on, what the schedule or the caller says decides; also within the second of its start, after
    which Temporal names it.
    """
    first = await triggered(client, schedule)
    second = await triggered(client, schedule, overlap)
    assert second.outcome == outcome
    assert first.run != second.run

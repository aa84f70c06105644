"""Thousands of local activities are spread over workflow tasks, so that none takes longer than the server waits.

A task that takes too long is begun again, and what it carried out with it: on a busy machine that never ended.
"""

from __future__ import annotations

import gzip
from collections import Counter
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from tests.support.waiting import eventually
from tests.workflows.temporal.hosting import hosting
from tests.workflows.temporal.plans import LOCAL, act, foreach, library, plan
from workers.converter import data_converter
from workflows.language.library import Library
from workflows.temporal.budget import LOCALS, MARKER_LOCALS
from workflows.temporal.classes import workflow_classes
from workflows.temporal.interceptor import ShellInterceptor

UNCOUNTED = Path(__file__).with_name("histories") / "locals-uncounted.json.gz"
_MARKER = EventType.EVENT_TYPE_MARKER_RECORDED
_COMPLETED = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
_SIGNS_OF_LIFE = 2  # workflow tasks that ended while none of their local activities had


def many(count: int, action: str) -> Library:
    """A loop over so many items, each a local activity, all at once."""
    step = act("one", action, args="${ item }", execution=replace(LOCAL, attempt_timeout=120))
    return library(plan("many", foreach("each", "${ input.items }", "one", concurrency=count), step))


def locals_by_task(history: WorkflowHistory) -> list[int]:
    """Return how many local activities each workflow task carried out."""
    events = [event for event in history.events if event.event_type in (_MARKER, _COMPLETED)]
    named = [event.marker_recorded_event_attributes.marker_name for event in events]
    return [len(list(group)) for is_local, group in groupby(named, lambda name: "local" in name) if is_local]


async def replayed(known: Library, history: WorkflowHistory) -> None:
    """See that a history replays on a worker that knows nothing else."""
    replayer = Replayer(
        workflows=workflow_classes(lambda: known),
        workflow_runner=UnsandboxedWorkflowRunner(),
        interceptors=[ShellInterceptor()],
        data_converter=data_converter(),
    )
    await replayer.replay_workflow(history)


async def test_locals_are_spread_over_tasks(client: Client) -> None:
    """A hundred each; every one is carried out once, and the history replays."""
    known = many(6 * LOCALS, "note")
    async with hosting(client, known) as host:
        run = await host.start("many", {"items": list(range(6 * LOCALS))})
        assert len(await run.result()) == 6 * LOCALS
        assert set(Counter(host.ledger.lines).values()) == {1}
    history = await run.fetch_history()
    spread = locals_by_task(history)
    assert sum(spread) == 6 * LOCALS
    assert max(spread) <= LOCALS
    await replayed(known, history)


async def test_history_in_which_locals_were_not_counted_replays() -> None:
    """An older release carried out 150 in one task, and said nothing of it; nothing changes for that execution."""
    recorded = gzip.decompress(UNCOUNTED.read_bytes()).decode()
    await replayed(many(150, "note"), WorkflowHistory.from_json("many/recorded", recorded))


async def test_few_locals_cost_no_marker(client: Client) -> None:
    """Most runs have a few, and their histories stay as they are."""
    async with hosting(client, many(40, "note")) as host:
        run = await host.start("many", {"items": list(range(40))})
        await run.result()
    history = await run.fetch_history()
    assert MARKER_LOCALS.encode() not in b"".join(event.SerializeToString() for event in history.events)


async def test_locals_that_outlast_their_task_replay(client: Client) -> None:
    """The task tells the server of life while none has ended: a replay does not see that task, nor count by it."""
    count = 2 * LOCALS
    known = many(count, "hang")
    async with hosting(client, known) as host:
        run = await host.start("many", {"items": list(range(count))})

        async def is_outlasted() -> bool:
            history = await run.fetch_history()
            return [event.event_type for event in history.events].count(_COMPLETED) >= _SIGNS_OF_LIFE

        await eventually(is_outlasted)
        host.ledger.is_mended = True
        assert len(await run.result()) == count
    await replayed(known, await run.fetch_history())

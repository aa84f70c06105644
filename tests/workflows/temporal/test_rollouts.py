"""Rollouts on a real server: who starts a run does not matter, and what was chosen stays."""

from __future__ import annotations

from dataclasses import replace

import pytest
from temporalio.client import Client
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from tests.workflows.temporal.hosting import hosting
from tests.workflows.temporal.plans import act, chain, child, definition, library, plan, receive
from tests.workflows.temporal.watching import Run, attributes_of
from workflows.language.library import Library, pin_of
from workflows.temporal.classes import workflow_classes
from workflows.temporal.starting import start_request, start_run

V1 = plan("rolling", *chain(receive("wait", "go"), act("old")), version="1.0.0", signals=("go",))
V2 = plan("rolling", *chain(receive("wait", "go"), act("new")), version="2.0.0", signals=("go",))
PARENT = plan("parent", child("begin", "rolling", {}, wait=False, key=None))
KEYS = [f"k{number}" for number in range(20)]


def rolled(percent: float) -> Library:
    """Both versions, of which the newer takes this percentage."""
    return library(V1, V2, PARENT).with_percentages({("rolling", "2.0.0"): percent})


def expected(key: str) -> str:
    """Return the pin of the version that takes a key at a half."""
    found = rolled(50).choose("rolling", key, {})
    assert found is not None
    return pin_of(found)


async def test_everybody_chooses_alike(client: Client) -> None:
    """The product pins at the start, a foreign start chooses in the run: the same version for the same key."""
    assert {expected(key) for key in KEYS} == {pin_of(definition(V1)), pin_of(definition(V2))}
    async with hosting(client, rolled(50)) as host:
        for key in KEYS:
            request = start_request(rolled(50), "rolling", {}, key=key)
            assert request is not None
            ours = await start_run(
                client, host.queue, replace(request, workflow_id=f"rolling/{key}", if_running="terminate")
            )
            handle: Run = client.get_workflow_handle(ours.workflow_id)
            assert (await attributes_of(handle))["SagaVersion"] == expected(key)
            await handle.terminate()
            foreign = await host.start("rolling", {}, id=f"rolling/{key}")
            await foreign.query("state")
            assert (await attributes_of(foreign))["SagaVersion"] == expected(key)
            await foreign.terminate()


async def test_marked_run_replays_after_the_rollout_was_taken_back(client: Client) -> None:
    """While replaying the marker in the history decides, whatever the rollout says now."""
    async with hosting(client, rolled(100)) as host:
        handle = await host.start("rolling", {})
        await handle.signal("go")
        await handle.result()
        assert host.ledger.lines == ["note new"]
        history = await handle.fetch_history()
    for percent in (0.0, 50.0, 100.0):
        classes = workflow_classes(lambda percent=percent: rolled(percent))  # type: ignore[misc]  # a default binds it
        replayer = Replayer(workflows=classes, workflow_runner=UnsandboxedWorkflowRunner())
        await replayer.replay_workflow(history)


@pytest.mark.parametrize(("percent", "version"), [(0.0, V1), (100.0, V2)])
async def test_children_are_chosen_too(client: Client, percent: float, version: object) -> None:
    """A child that is started by its id alone follows the rollout."""
    async with hosting(client, rolled(percent)) as host:
        begun = await host.execute("parent", {})
        handle: Run = client.get_workflow_handle(begun["workflow_id"])
        wanted = V1 if version is V1 else V2
        assert (await attributes_of(handle))["SagaVersion"] == pin_of(definition(wanted))
        await handle.terminate()

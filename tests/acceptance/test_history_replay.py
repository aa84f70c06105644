"""Recorded histories of every shipped definition replay, and what was changed under a version is refused.

`tests/acceptance/record_histories.py` says how and when they are recorded anew. The scenarios also run and are replayed
here, so that the recorder keeps working.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from activities.registry import catalog
from tests.acceptance.record_histories import HISTORIES, load
from tests.acceptance.scenarios import REAL_TIME, TIME_SKIPPING, ScenarioHost, history_of
from tests.definitions.shipped import FILES, shipped
from workflows.language.compiler import compile_sources
from workflows.language.library import Library
from workflows.temporal.classes import workflow_classes

RECORDED = sorted(HISTORIES.glob("*/*.json"))


async def replayed(history: WorkflowHistory, library: Library) -> str:
    """Replay a history; return why it failed, or nothing."""
    replayer = Replayer(workflows=workflow_classes(lambda: library), workflow_runner=UnsandboxedWorkflowRunner())
    result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
    return str(result.replay_failure or "")


def changed(definition: str, old: str, new: str, version: str = "1.0.0") -> Library:
    """Compile the shipped definitions with one of them changed in one place."""
    texts = {str(file): file.read_text(encoding="utf-8") for file in FILES}
    [name] = [name for name in texts if Path(name).parent.name == definition]
    assert old in texts[name]
    texts[name] = texts[name].replace(old, new).replace("version: 1.0.0", f"version: {version}")
    compilation = compile_sources(texts, catalog())
    assert compilation.library is not None, compilation.diagnostics
    return compilation.library


def test_every_shipped_definition_has_histories() -> None:
    """What is recorded is what the scenarios run, and no definition was forgotten."""
    names = {f"{file.parent.name}/{file.stem}" for file in RECORDED}
    assert names == {*REAL_TIME, *TIME_SKIPPING}
    assert {name.partition("/")[0] for name in names} == set(shipped().versions)


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: f"{file.parent.name}/{file.stem}")
async def test_recorded_history_replays(file: Path) -> None:
    """The definition of today asks for what it asked for when the run was recorded."""
    assert await replayed(load(file), shipped()) == ""


@pytest.mark.parametrize("name", REAL_TIME)
async def test_scenario_replays(scenario_host: ScenarioHost, name: str) -> None:
    """The scenario can still be recorded, and its history of now replays."""
    assert await replayed(await history_of(REAL_TIME[name], scenario_host), shipped()) == ""


@pytest.mark.parametrize("name", TIME_SKIPPING)
async def test_scenario_in_which_days_pass_replays(time_skipping_host: ScenarioHost, name: str) -> None:
    """The same on the server that skips time."""
    assert await replayed(await history_of(TIME_SKIPPING[name], time_skipping_host), shipped()) == ""


CHANGES = {
    "agent-creation/approved": ("    timeout: 72h", "    timeout: 71h"),
    "agent-creation-v1/success": ("backoff: 1000", "backoff: 1001"),
    "agent-creation-v1/success-pinned": ("action: initializePatternStore", "action: initializeKnowledgeBase"),
    "bulk-shipment/success": ("concurrency: 20", "concurrency: 21"),
    "invoice-collection/never-paid": ("    timeout: 7d", "    timeout: 8d"),
    "nightly-sales-report/success": ("event: report.sales", "event: report.revenue"),
    "order-fulfilment/undeliverable": ("payment.refund, with: {}", "inventory.release, with: {}"),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_changed_definition_under_the_same_version_is_refused(name: str) -> None:
    """Also where the change would have led to the same commands: a version is its content."""
    definition = name.partition("/")[0]
    library = changed(definition, *CHANGES[name])
    refusal = await replayed(load(HISTORIES / f"{name}.json"), library)
    assert "is not loaded by this worker: deploy it beside the newer ones" in refusal
    assert f"{definition}@1.0.0+" in refusal


async def test_change_under_the_pinned_version_is_said_to_be_one() -> None:
    """Where the pin is known, the message says what happened, not only what is missing."""
    library = changed("order-fulfilment", "quorum: 2", "quorum: 1")
    refusal = await replayed(load(HISTORIES / "order-fulfilment/small.json"), library)
    assert "A definition was changed under the same version, which is refused." in refusal


@pytest.mark.parametrize("name", ["order-fulfilment/small", "order-fulfilment/large"])
async def test_history_of_a_version_that_is_not_loaded_says_so(name: str) -> None:
    """A newer version alone does not take an old run over; the message names what is loaded."""
    library = changed("order-fulfilment", "quorum: 2", "quorum: 1", version="2.0.0")
    refusal = await replayed(load(HISTORIES / f"{name}.json"), library)
    assert "The version that this run is pinned to is not loaded by this worker" in refusal
    assert "Loaded: order-fulfilment@2.0.0+" in refusal

"""Every shipped definition compiles, explains itself, and is where its name says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.definitions.shipped import FILES, SEED, compiled, shipped
from workflows.language.canonical import canonical_text
from workflows.language.triggers import ScheduleTrigger


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_definition_compiles_without_errors_and_warnings(file: Path) -> None:
    """Not even a warning: these files are what authors copy."""
    compilation = compiled(file)
    assert compilation.diagnostics == ()
    assert compilation.library is not None
    [definition] = compilation.library.all()
    assert (definition.id, definition.version) == (file.parent.name, file.stem)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_definition_begins_with_what_it_teaches(file: Path) -> None:
    """A comment of several lines stands before the first key."""
    comment = file.read_text(encoding="utf-8").partition("id:")[0].splitlines()
    assert len(comment) >= 5
    assert all(line.startswith("#") for line in comment)


def test_definitions_compile_together() -> None:
    """All files in one library, the patterns that are promised among them."""
    assert compiled(*FILES).diagnostics == ()
    assert set(shipped().versions) == {
        "agent-creation",
        "agent-creation-v1",
        "bulk-shipment",
        "invoice-collection",
        "nightly-sales-report",
        "order-fulfilment",
    }


def test_definitions_do_not_start_each_other_by_accident() -> None:
    """No event type starts two definitions: one event, one run."""
    started = [
        trigger.event
        for definition in shipped().all()
        for trigger in definition.triggers
        if not isinstance(trigger, ScheduleTrigger) and type(trigger.does).__name__ == "Start"
    ]
    assert len(started) == len(set(started))


def test_seed_definition_loads_unchanged() -> None:
    """The seed's JSON document and the shipped YAML file are one plan."""
    compilation = compiled(SEED)
    assert [entry for entry in compilation.diagnostics if entry.severity == "error"] == []
    assert compilation.library is not None
    [seed] = compilation.library.all()
    ours = shipped().resolve("agent-creation-v1@1.0.0")
    assert ours is not None
    assert canonical_text(seed.plan) == canonical_text(ours.plan)
    assert seed.plan.digest == ours.plan.digest

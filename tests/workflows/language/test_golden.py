"""Golden files: definitions with the diagnostics that they cause, or with the plans that they become.

`python -m tests.workflows.language.test_golden` writes the expectations anew; look at the difference first.
"""

import json
from pathlib import Path

import pytest

from contracts.actions import ActionSpec
from workflows.language.canonical import plan_to_json
from workflows.language.diagnostics import in_order, render
from workflows.language.lower.definition import lower
from workflows.language.parse.definition import parse
from workflows.language.source import read_source

GOLDEN = Path(__file__).parent / "golden"
ACTIONS = {"validateAgentInput": ActionSpec("validateAgentInput", local=True)}


def inputs(folder: str) -> list[Path]:
    """Return the definitions of a folder; expectations end in `.txt` or `.plan.json`."""
    files = sorted((GOLDEN / folder).iterdir())
    return [file for file in files if file.suffix in (".yaml", ".json") and not file.name.endswith(".plan.json")]


def complaints(file: Path) -> str:
    """Return what the first two stages say of a file, as shown to its author."""
    source = read_source(file.name, file.read_bytes())
    _, shape = parse(source)
    found = in_order([*source.diagnostics, *shape])
    return "\n\n".join(render(diagnostic, source.text) for diagnostic in found) + "\n"


def plan_text(file: Path) -> str:
    """Return the plan of a right definition."""
    definition, diagnostics = parse(read_source(file.name, file.read_bytes()))
    assert diagnostics == ()
    assert definition is not None
    return json.dumps(plan_to_json(lower(definition, ACTIONS).plan), indent=1, sort_keys=True) + "\n"


def expected(file: Path, suffix: str) -> Path:
    """Return the file that holds what is expected of a definition."""
    return file.with_name(f"{file.stem}{suffix}")


@pytest.mark.parametrize("file", inputs("diagnostics"), ids=lambda file: file.name)
def test_diagnostics_are_as_recorded(file: Path) -> None:
    """Each mistake is shown with its line, column, code and hint."""
    assert complaints(file) == expected(file, ".txt").read_text("utf-8")


@pytest.mark.parametrize("file", inputs("plans"), ids=lambda file: file.name)
def test_plans_are_as_recorded(file: Path) -> None:
    """Each definition becomes exactly this plan, digest included; JSON and YAML of one definition share it."""
    assert plan_text(file) == expected(file, ".plan.json").read_text("utf-8")


def _record() -> None:
    for file in inputs("diagnostics"):
        expected(file, ".txt").write_text(complaints(file), "utf-8")
    for file in inputs("plans"):
        expected(file, ".plan.json").write_text(plan_text(file), "utf-8")


if __name__ == "__main__":
    _record()

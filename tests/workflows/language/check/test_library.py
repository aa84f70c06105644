"""Checks between definitions: versions and child workflows."""

from __future__ import annotations

from tests.workflows.language.check.checking import definition_of, written
from workflows.language.check.rules import check_library


def _definition(file: str, name: str, version: str, child: str = "") -> str:
    step = f"{{id: child, workflow: {child}}}" if child else "{id: rest, for: 1s}"
    return f"id: {name}\nversion: {version}\nsteps:\n  - {step}\n"


def _found(*rows: tuple[str, str, str, str]) -> list[str]:
    definitions = [definition_of(_definition(*row), file=row[0]) for row in rows]
    return [f"{diagnostic.file} {written(diagnostic)}" for diagnostic in check_library(definitions)]


def test_library_reports_the_same_version_twice() -> None:
    """The second file is told about the first."""
    found = _found(("a.yaml", "order", "1.0.0", ""), ("b.yaml", "order", "1.0.0", ""), ("c.yaml", "order", "2.0.0", ""))
    assert found == [
        "b.yaml 2:10 duplicate-definition: a.yaml holds order@1.0.0 as well; a version has one content"
        " | give the changed one a new version"
    ]


def test_library_reports_an_unknown_child() -> None:
    """An unknown id and an unknown version of a known one are suggested the near ones."""
    found = _found(
        ("a.yaml", "order", "1.0.0", "shipmnt"), ("b.yaml", "parcel", "1.0.0", "shipment@1.2.1"),
        ("c.yaml", "shipment", "1.2.0", ""),
    )  # fmt: skip
    assert found == [
        "a.yaml 4:27 unknown-workflow: there is no definition 'shipmnt' | did you mean 'shipment'?",
        "b.yaml 4:27 unknown-workflow: there is no version '1.2.1' of 'shipment' | did you mean '1.2.0'?",
    ]


def test_library_lets_definitions_start_each_other() -> None:
    """A circle of children is no mistake, nor is a pinned version."""
    assert _found(("a.yaml", "order", "1.0.0", "parcel@1.0.0"), ("b.yaml", "parcel", "1.0.0", "order")) == []


def test_library_reports_an_input_that_a_child_refuses() -> None:
    """Constants are checked against the schema of the version that takes the start; expressions are left to the run."""
    child = (
        "id: parcel\nversion: {}\ninput: {{type: object, required: [weight], properties: {{weight: {{type: {}}}}}}}\n"
    )
    steps = "steps: [{id: rest, for: 1s}]\n"
    parent = """id: order
version: 1.0.0
steps:
  - {id: none, workflow: parcel}
  - {id: text, workflow: parcel, input: {weight: heavy}}
  - {id: old, workflow: parcel@1.0.0, input: {weight: heavy}}
  - {id: open, workflow: parcel, input: {weight: "${ input.weight }"}}
  - {id: all, workflow: parcel, input: "${ input }"}
"""
    definitions = [
        definition_of(parent),
        definition_of(child.format("1.0.0", "string") + steps),
        definition_of(child.format("1.10.0", "number") + steps),
    ]
    assert [written(diagnostic) for diagnostic in check_library(definitions)] == [
        "4:26 bad-child-input: 'parcel' would refuse this: `input`: 'weight' is missing",
        '5:50 bad-child-input: \'parcel\' would refuse this: `input.weight`: "heavy" is not of type "number"',
    ]

"""Checks between definitions: versions and child workflows."""

from __future__ import annotations

import json

import pytest

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


def test_library_warns_of_definitions_that_start_each_other_without_end() -> None:
    """A circle of children is no mistake, but one that nothing ends is seldom meant."""
    hint = "give a step of the circle an `if`, or the trigger a `when`, that ends it"
    said = f"every run leads to another one: {{}} | {hint}"
    assert _found(("a.yaml", "order", "1.0.0", "parcel@1.0.0"), ("b.yaml", "parcel", "1.0.0", "order")) == [
        f"a.yaml 4:27 warning endless-starts: {said.format('order -> parcel -> order')}",
        f"b.yaml 4:27 warning endless-starts: {said.format('parcel -> order -> parcel')}",
    ]
    assert _found(("a.yaml", "order", "1.0.0", "order")) == [
        f"a.yaml 4:27 warning endless-starts: {said.format('order -> order')}"
    ]
    assert _found(("a.yaml", "order", "1.0.0", "order, if: input.more")) == []


EMITTING = """
id: {name}
version: 1.0.0
triggers: [{{event: "{on}", start: {{}}{when}}}]
steps:
  - {{id: tell, type: emit, event: {emits}{if_}}}
"""


@pytest.mark.parametrize(
    ("definitions", "warned"),
    [
        ([("a", "order.*", "", "order.placed", "")], ["order.placed"]),
        ([("a", "order.*", "", "invoice.sent", "")], []),
        ([("a", "order.*", ", when: event.data.more", "order.placed", "")], []),
        ([("a", "order.*", "", "order.placed", ", if: input.more")], []),
        ([("a", "order.*", "", "${ input.event }", "")], []),
        ([("a", "x.y", "", "y.z", ""), ("b", "#", "", "x.y", "")], ["y.z", "x.y", "x.y"]),
    ],
)
def test_library_warns_of_events_that_start_their_own_run(
    definitions: list[tuple[str, ...]], warned: list[str]
) -> None:
    """Also through others; not where an expression says what is emitted, or whether."""
    texts = [
        EMITTING.format(name=name, on=on, when=when, emits=json.dumps(emits), if_=if_)
        for name, on, when, emits, if_ in definitions
    ]
    found = check_library([definition_of(text, file=f"{number}.yaml") for number, text in enumerate(texts)])
    assert [diagnostic.code for diagnostic in found] == ["endless-starts"] * len(warned)


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

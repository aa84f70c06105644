"""What changed between two versions, and whom it concerns."""

from __future__ import annotations

import pytest

from contracts.actions import ActionSpec
from workflows.language.compat import Difference, differences
from workflows.language.compiler import compile_sources
from workflows.language.triggers import Definition

OLD = """
id: order
version: 1.0.0
output: {total: "${ steps.pay.output.total }", at: "${ now }"}
triggers:
  - {event: order.placed, start: {}}
  - {event: order.withdrawn, cancel: {key: "${ event.data.id }"}}
steps:
  - {id: quote, action: do}
  - {id: review, type: approval, title: May we?}
  - {id: go, type: receive, signal: go}
  - {id: pay, action: do, with: {sum: 5}, compensate: {action: undo}}
"""
ACTIONS = {name: ActionSpec(name) for name in ("do", "undo", "other")}


def definition(text: str) -> Definition:
    """Compile one definition."""
    compilation = compile_sources({"a.yaml": text}, ACTIONS)
    assert compilation.library is not None, compilation.diagnostics
    [found] = compilation.library.all()
    return found


def changed(*replacements: tuple[str, str]) -> list[Difference]:
    """Compare `OLD` with what replacements make of it, version 1.1.0."""
    text = OLD.replace("1.0.0", "1.1.0")
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    return list(differences(definition(OLD), definition(text)))


def test_another_number_alone_is_no_difference() -> None:
    """Nothing is reported where nothing was changed."""
    assert changed() == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("id: order\n", "id: offer\n", ("breaking", "id")),
        ("version: 1.1.0", "version: 0.9.0", ("careful", "version")),
        (', at: "${ now }"', "", ("breaking", "output")),
        ('at: "${ now }"', 'at: "${ now }", more: 1', ("fine", "output")),
        ('at: "${ now }"', "at: never", ("careful", "output")),
        ("output:", "key: ${ input.id }\noutput:", ("breaking", "key")),
        ("output:", "timeout: 1h\noutput:", ("careful", "timeout")),
        ("{id: review,", "{id: check,", ("breaking", "step review")),
        ("{id: quote, action: do}", "{id: offer, action: do}", ("careful", "step quote")),
        ("{id: quote, action: do}", "{id: quote, action: other}", ("careful", "step quote")),
        ("{id: quote, action: do}", "{id: quote, type: approval, title: x}", ("careful", "step quote")),
        ("title: May we?", "title: May we?, form: {type: object}", ("breaking", "step review")),
        ("title: May we?", "title: May we?, approvers: [user:a]", ("careful", "step review")),
        (", compensate: {action: undo}", "", ("careful", "step pay")),
        ("signal: go}", "signal: start}", ("breaking", "signal go")),
        ("order.withdrawn", "order.lost", ("breaking", "trigger order.withdrawn (cancel)")),
        ("start: {}", "start: {if_running: fail}", ("careful", "trigger order.placed (start)")),
    ],
)
def test_each_change_is_found_with_its_severity(old: str, new: str, expected: tuple[str, str]) -> None:
    """The worst difference comes first and names its part."""
    found = changed((old, new))
    assert (found[0].severity, found[0].what) == expected


def test_new_steps_are_fine_and_the_way_to_them_is_told() -> None:
    """An added step breaks nobody."""
    found = changed(("  - {id: review", "  - {id: more, action: other}\n  - {id: review"))
    assert [(each.severity, each.what) for each in found] == [("careful", "step quote"), ("fine", "step more")]


def test_changed_content_under_one_number_is_breaking() -> None:
    """That would be refused by a deployment."""
    found = changed(("1.1.0", "1.0.0"), ("action: do}", "action: other}"))
    assert (found[0].severity, found[0].what) == ("breaking", "version")

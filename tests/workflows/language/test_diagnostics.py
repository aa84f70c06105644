"""Diagnostics: their two forms, their order, and suggestions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.language.diagnostics import Diagnostic, Diagnostics, did_you_mean, in_order, render, suggestion
from workflows.language.tree import Position

TEXT = "id: x\nversion: 1\nsteps: []\n"


def test_render_underlines_the_place() -> None:
    """The line is shown with its number, the place underlined, the hint below."""
    diagnostic = Diagnostic("a.yaml", 2, 10, 11, "wrong-type", "'version' is to be a text", "quote it")
    assert render(diagnostic, TEXT) == (
        "error[wrong-type]: 'version' is to be a text\n"
        " --> a.yaml:2:10\n"
        "  |\n"
        "2 | version: 1\n"
        "  |          ^\n"
        "  = hint: quote it"
    )


def test_render_leaves_out_a_line_that_is_not_there() -> None:
    """A place behind the end of the text has no excerpt."""
    assert render(Diagnostic("a.yaml", 9, 1, 2, "c", "m"), TEXT) == "error[c]: m\n --> a.yaml:9:1"


def test_render_keeps_a_long_line_short() -> None:
    """Of a very long line the part around the place is shown, and no control character reaches the terminal."""
    line = "x" * 5000 + "\x1b[31mBAD"
    shown = render(Diagnostic("a.yaml", 1, 5006, 5009, "c", "m"), line).splitlines()[3]
    assert shown.startswith("1 | xxx")
    assert "\x1b" not in shown
    assert len(shown) < 200


def test_json_form_leaves_out_an_empty_hint() -> None:
    """The JSON form has every member but an absent hint."""
    document = Diagnostic("a.yaml", 2, 10, 11, "c", "m", severity="warning").to_json()
    assert document == {
        "file": "a.yaml",
        "line": 2,
        "column": 10,
        "end_column": 11,
        "severity": "warning",
        "code": "c",
        "message": "m",
    }


def test_collector_fails_by_errors_only() -> None:
    """Warnings alone are no failure."""
    found = Diagnostics("a.yaml")
    found.warning(Position(1, 1, 2), "c", "m")
    assert not found.failed
    found.error(Position(1, 1, 2), "c", "m")
    assert found.failed


def test_collector_keeps_a_hundred() -> None:
    """A file of mistakes does not become a book."""
    found = Diagnostics("a.yaml")
    for line in range(1, 1000):
        found.error(Position(line, 1, 2), "c", "m")
    assert len(found.found) == 100


def test_order_is_by_file_and_place_without_doubles() -> None:
    """Diagnostics come in the order in which an author reads."""
    late, early = Diagnostic("b", 1, 1, 2, "c", "m"), Diagnostic("a", 7, 3, 4, "c", "m")
    assert in_order([late, early, late]) == (early, late)


@pytest.mark.parametrize(
    ("name", "best"),
    [
        ("retrry", "retry"),
        ("retries", "retry"),
        ("onerror", "on_error"),
        ("on-error", "on_error"),
        ("cmopensate", "compensate"),
        ("xyz", None),
        ("", None),
        ("a" * 10_000, None),
    ],
)
def test_suggestion_is_the_nearest_name(name: str, best: str | None) -> None:
    """A slip of one or two letters, or of hyphen and case, is recognised; nothing is made up."""
    assert suggestion(name, ("retry", "on_error", "compensate", "timeout")) == best


def test_hint_lists_what_there_is() -> None:
    """Where nothing is near, the choices are named."""
    assert did_you_mean("zzz", ("b", "a")) == "there are: a, b"
    assert did_you_mean("zzz", ()) == ""


@given(st.text(max_size=40), st.lists(st.text(max_size=20), max_size=5))
def test_suggestion_is_one_of_the_known(name: str, known: list[str]) -> None:
    """A suggestion exists, and an exact name is its own."""
    best = suggestion(name, known)
    assert best is None or best in known
    if name in known:
        assert suggestion(name, [name]) == name


@given(st.text(), st.integers(0, 50), st.integers(0, 50), st.integers(0, 80))
def test_render_never_fails(text: str, line: int, column: int, end: int) -> None:
    """Whatever text and place are put together, there is something to show."""
    assert render(Diagnostic("f", line, column, end, "c", "m"), text)

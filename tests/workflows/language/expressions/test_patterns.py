"""What a pattern is estimated to cost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.language.expressions.patterns import LARGEST, cost_of


@pytest.mark.parametrize(
    ("pattern", "run"),
    [
        ("", 0),
        ("abc", 3),
        ("a|b", 3),
        ("a{10}", 10),
        ("a{2,10}", 10),
        ("a{5,}", 5),
        ("(ab){10}", 40),
        ("((a){10}){10}", 320),
        ("(?:ab){3}", 12),
        ("a+b*", 4),
        (".", 4),
        ("[a-z]{3}", 12),
        ("[]a]", 4),
        ("[^]a]", 4),
        ("[[:alpha:]]", 4),
        (r"\d", 2),
        (r"\pL", 4),
        (r"\p{Greek}{2}", 8),
        (r"\Q(a){9}\E", 6),
        ("(((", 6),
        ("a)b{3}", 5),
        ("a{", 2),
    ],
)
def test_repetitions_are_written_out(pattern: str, run: int) -> None:
    """Each part counts as often as it is repeated, groups with all that is in them."""
    assert cost_of(pattern).run == run


def test_classes_of_unicode_are_costly_to_build() -> None:
    """Each has hundreds of ranges."""
    assert cost_of(r"\pL").build == cost_of(r"[\pL]").build == 3_000
    assert cost_of(r"[\p{Han}\P{Greek}]{100}").build == 600_000


@given(st.text(alphabet="ab(){}[]^|*+?.\\pQE1239,:", max_size=200))
def test_any_text_has_a_cost(pattern: str) -> None:
    """Also what is no pattern; and it never runs away."""
    cost = cost_of(pattern)
    assert 0 <= cost.run <= LARGEST
    assert 0 <= cost.build <= LARGEST

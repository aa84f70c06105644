"""What ties an event to a step that waits for it, in one spelling."""

from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from contracts.json import Json
from workflows.language.correlation import correlation_entries

SAFE = frozenset(string.ascii_letters + string.digits + " -_.:/@+,;()#=~%")


def test_entries_are_sorted_and_readable() -> None:
    """What is plain stays as it is."""
    fields: dict[str, Json] = {"order": "A-1/2", "amount": 7.5, "paid": True, "none": None}
    assert correlation_entries(fields) == ["amount=7.5", "none=", "order=A-1/2", "paid=true"]


def test_long_values_become_their_digest() -> None:
    """A search attribute has its limit; what is equal stays equal."""
    (one,), (same,), (other,) = (correlation_entries({"a": text}) for text in ("x" * 501, "x" * 501, "x" * 502))
    assert one == same != other
    assert one.startswith("a=sha256:")
    assert correlation_entries({"a": "x" * 500}) == [f"a={'x' * 500}"]


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=200), max_size=3))
def test_entries_hold_nothing_that_a_query_could_stumble_over(fields: dict[str, str]) -> None:
    """No quotation mark, backslash, control or other sign reaches Temporal's query language."""
    for entry in correlation_entries(dict(fields)):
        assert set(entry) <= SAFE


@given(st.text(max_size=300), st.text(max_size=300))
def test_different_values_have_different_entries(one: str, other: str) -> None:
    """No two values are taken for each other."""
    assert (correlation_entries({"a": one}) == correlation_entries({"a": other})) == (one == other)

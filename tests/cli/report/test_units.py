"""Figures for people."""

from __future__ import annotations

import pytest

from cli.report import units


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "-"),
        (0, "0"),
        (0.0004, "0"),
        (0.32, "320 ms"),
        (0.9996, "1.0 s"),
        (4.2, "4.2 s"),
        (42.4, "42 s"),
        (59.7, "1 m"),
        (200, "3 m 20 s"),
        (3599.6, "1 h"),
        (7500, "2 h 5 m"),
        (86_399, "1 d"),
        (273_600, "3 d 4 h"),
        (86_400 * 1234.0, "1,234 d"),
    ],
)
def test_length_is_in_one_unit_or_two(seconds: float | None, shown: str) -> None:
    """Rounded up into the next unit where it reaches it."""
    assert units.length(seconds) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "-"), (0, "0 %"), (0.0002, "< 0.1 %"), (0.973, "97.3 %"), (0.99999, "99.9 %"), (1, "100 %")],
)
def test_share_rounds_nothing_to_all_or_none(value: float | None, shown: str) -> None:
    """One failure in a million is not 100 % success."""
    assert units.share(value) == shown


@pytest.mark.parametrize(
    ("before", "after", "shown"), [(2, 2, "±0 %"), (0, 1, "-"), (2, 3, "+50 %"), (100, 99.5, "-0.5 %")]
)
def test_change_is_in_percent_of_the_first(before: float, after: float, shown: str) -> None:
    """Where there is a first."""
    assert units.change(before, after) == shown

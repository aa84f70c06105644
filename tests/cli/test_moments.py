"""Moments as people give them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cli.moments import read_moment

NOW = datetime(2030, 1, 31, 8, 30, tzinfo=UTC)
MIDNIGHT = datetime(2030, 1, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("now", NOW),
        ("today", MIDNIGHT),
        ("yesterday", MIDNIGHT - timedelta(days=1)),
        ("2h", NOW - timedelta(hours=2)),
        ("1h30m", NOW - timedelta(minutes=90)),
        ("7d", NOW - timedelta(days=7)),
        ("2030-01-30", MIDNIGHT - timedelta(days=1)),
        ("2030-01-30T08:00:00Z", NOW - timedelta(days=1, minutes=30)),
        ("2030-01-30T10:00:00+02:00", NOW - timedelta(days=1, minutes=30)),
    ],
)
def test_moment_is_read_in_each_of_its_spellings(text: str, moment: datetime) -> None:
    """Names, ages, dates (in UTC) and moments with their zone."""
    assert read_moment(text, NOW) == moment


@pytest.mark.parametrize("text", ["", "soon", "5", "2030-13-01", "2030-01-30T08:00:00", "999999999w"])
def test_moment_that_cannot_be_one_is_refused(text: str) -> None:
    """So is one whose zone nobody knows."""
    with pytest.raises(ValueError, match=r"moment|zone"):
        read_moment(text, NOW)

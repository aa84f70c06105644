"""Durations: every spelling, and what is refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.language.durations import LONGEST_SECONDS, parse_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("5s", 5.0),
        ("72h", 259_200.0),
        ("1h30m", 5_400.0),
        ("250ms", 0.25),
        ("2d", 172_800.0),
        ("1w", 604_800.0),
        ("1.5h", 5_400.0),
        ("PT5M", 300.0),
        ("P1DT2H", 93_600.0),
        ("P2W", 1_209_600.0),
        ("PT0.25S", 0.25),
        (1000, 1.0),
        (1, 0.001),
        (1500.5, 1.5005),
        ("1000", 1.0),
        (" 5s ", 5.0),
        (0, 0.0),
    ],
)
def test_duration_is_read_in_every_spelling(written: object, seconds: float) -> None:
    """Short form, ISO 8601 and bare milliseconds give seconds."""
    assert parse_duration(written) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "written",
    [
        *("", "x", "5 s s", "-5s", "5S", "PT", "P", "P1Y", "P1M", "h", "1h 30m", "1e3s", "\u0665s", "9" * 100),
        *(None, True, [], {}, -1, math.nan, math.inf, -math.inf, 10**400, "101000d", 1e300),
    ],
)
def test_duration_refuses_what_is_none(written: object) -> None:
    """Whatever is no duration is a ValueError with a sentence for the author."""
    with pytest.raises(ValueError, match="duration"):
        parse_duration(written)


@given(st.one_of(st.text(), st.integers(), st.floats(), st.from_regex(r"[0-9]{1,9}(ms|s|m|h|d|w)", fullmatch=True)))
def test_duration_is_a_bounded_number_or_a_value_error(written: object) -> None:
    """No input gives anything but seconds in range or a ValueError."""
    try:
        seconds = parse_duration(written)
    except ValueError:
        return
    assert 0 <= seconds <= LONGEST_SECONDS


def test_duration_is_refused_in_the_author_s_words() -> None:
    """What stands in the file is named as it is written there."""
    with pytest.raises(ValueError, match="nothing is no duration"):
        parse_duration(None)
    with pytest.raises(ValueError, match="true is no duration"):
        parse_duration(True)

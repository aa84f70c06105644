"""Figures for people: lengths of time, shares, counts.

Every length is said in one unit or two neighbouring ones, and no figure has more digits than a reader compares.
"""

from __future__ import annotations

from typing import Final

NONE: Final = "-"
_MINUTE: Final = 60
_HOUR: Final = 3_600
_DAY: Final = 86_400
_ALL: Final = 0.9995


def length(seconds: float | None) -> str:
    """Return a length of time, such as `0`, `320 ms`, `4.2 s`, `3 m 20 s`, `2 h 5 m`, `3 d 4 h`."""
    if seconds is None:
        return NONE
    if round(seconds) < _MINUTE:
        return _short(seconds)
    for limit, unit, name, smaller, smaller_name in (
        (_HOUR, _MINUTE, "m", 1, "s"),
        (_DAY, _HOUR, "h", _MINUTE, "m"),
        (float("inf"), _DAY, "d", _HOUR, "h"),
    ):
        whole = round(seconds / smaller) * smaller
        if whole < limit:
            rest = int(whole % unit) // smaller
            return f"{int(whole // unit):,} {name}" + (f" {rest} {smaller_name}" if rest else "")
    raise AssertionError(seconds)


def _short(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    if milliseconds < 1000:  # noqa: PLR2004  # a second
        return f"{milliseconds} ms" if milliseconds else "0"
    return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"  # noqa: PLR2004  # 9.9 s, but 10 s


def share(value: float | None) -> str:
    """Return a share, such as `97.3 %`; only what is all is 100 %, and only what is nothing is 0."""
    if value is None:
        return NONE
    if value <= 0:
        return "0 %"
    if value >= 1:
        return "100 %"
    if value < 1 - _ALL:
        return "< 0.1 %"
    return "99.9 %" if value >= _ALL else f"{value * 100:.1f} %"


def count(value: float) -> str:
    """Return a whole number with its thousands apart."""
    return f"{value:,.0f}"


def mean(value: float) -> str:
    """Return a mean with one digit behind the point."""
    return f"{value:,.1f}"


def change(before: float, after: float) -> str:
    """Return how far one figure is from another, in percent of it."""
    if before == after:
        return "±0 %"
    if before == 0:
        return NONE
    percent = (after - before) / abs(before) * 100
    return f"{percent:+.0f} %" if abs(percent) >= 1 else f"{percent:+.1f} %"

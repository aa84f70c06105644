"""Durations as people write them: `5s`, `72h`, `1h30m`, `250ms`, `2d`, ISO 8601's `PT5M`, a bare number (milliseconds).

The compiler reads the constant ones, the engine those that an expression gave; so this is the one place that knows the
spelling. Months and years are refused: how long they are depends on the day.
"""

from __future__ import annotations

import math
import re

LONGEST_SECONDS = 100 * 366 * 86_400.0

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d|w)")
_SHORT = re.compile(rf"(?:{_PART.pattern})+")
_ISO = re.compile(
    r"P(?=[0-9T])(?:([0-9]+(?:\.[0-9]+)?)W)?(?:([0-9]+(?:\.[0-9]+)?)D)?"
    r"(?:T(?=[0-9])(?:([0-9]+(?:\.[0-9]+)?)H)?(?:([0-9]+(?:\.[0-9]+)?)M)?(?:([0-9]+(?:\.[0-9]+)?)S)?)?"
)
_ISO_SECONDS = (604_800.0, 86_400.0, 3_600.0, 60.0, 1.0)
_LONGEST_TEXT = 64
_EXAMPLES = "no duration such as 30s, 5m, 1h30m, 250ms, 2d or PT5M (a bare number is milliseconds)"


def parse_duration(value: object) -> float:
    """Return the duration in seconds.

    Args:
        value: Text such as `1h30m` or `PT5M`, or a number of milliseconds.

    Raises:
        ValueError: It is no duration, is negative, or longer than 100 years; the message is for the author.
    """
    seconds = _seconds(value)
    if not math.isfinite(seconds) or not 0 <= seconds <= LONGEST_SECONDS:
        raise ValueError(f"a duration lies between 0 and 100 years, not {value!s:.80}")
    return seconds


def _seconds(value: object) -> float:
    match value:
        case None:
            raise ValueError(f"nothing is {_EXAMPLES}")
        case bool():
            raise ValueError(f"{str(value).lower()} is {_EXAMPLES}")
        case int() | float():
            return _milliseconds(value)
        case str() if len(value) <= _LONGEST_TEXT:
            return _from_text(value.strip())
    raise ValueError(f"{value!r:.80} is {_EXAMPLES}")


def _milliseconds(value: float) -> float:
    return value / 1000 if abs(value) <= LONGEST_SECONDS * 1000 else math.inf


def _from_text(text: str) -> float:
    if _SHORT.fullmatch(text):
        return round(sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text)), 6)
    match = _ISO.fullmatch(text)
    if match:
        parts = zip(match.groups(), _ISO_SECONDS, strict=True)
        return round(sum(float(number) * seconds for number, seconds in parts if number), 6)
    if text.isascii() and text.isdigit():
        return _milliseconds(float(text))
    raise ValueError(f"{text!r} is {_EXAMPLES}")

"""The `math` functions over JSON numbers: each takes whole and fractional ones alike.

A whole number has nothing to round, so it comes back as it is; fractions are rounded to fractions (`math.round(2.5)` is
3.0), halves away from zero, as in Google's library, but never to -0.0.
"""

import math
from collections.abc import Callable
from typing import Any

from workflows.language.expressions.frame import Frame
from workflows.language.expressions.values import Fault, article, checked, kind_of, whole

_BITS = 64
_MASK = 2**_BITS - 1


def rounding(function: Callable[[float], int]) -> Callable[[Frame, Any], object]:
    """Make a function of fractions that leaves whole numbers alone."""
    return lambda _, value: value if type(value) is int else float(function(checked(value)))


def half_away(value: float) -> int:
    """Round to the nearest whole number, halves away from zero."""
    nearest = math.trunc(value)
    return nearest + (1 if value > 0 else -1) if abs(value - nearest) >= 0.5 else nearest  # noqa: PLR2004 - a half


def extreme(choose: Callable[[list[Any]], Any]) -> Callable[..., object]:
    """`math.greatest` and `math.least`, of several numbers or of one list."""

    def pick(_: Frame, *values: Any) -> object:
        numbers = values[0] if len(values) == 1 and type(values[0]) is list else list(values)
        wrong = next((value for value in numbers if type(value) not in (int, float)), None)
        if not numbers or wrong is not None:
            given = article(kind_of(wrong)) if numbers else "an empty list"
            raise Fault(f"math.greatest and math.least need numbers, not {given}")
        return choose(numbers)

    return pick


def sign(_: Frame, value: Any) -> object:
    """`math.sign(x)`: -1, 0 or 1 in the number's own spelling."""
    return type(value)((value > 0) - (value < 0))


def root(_: Frame, value: Any) -> object:
    """`math.sqrt(x)`."""
    if value < 0:
        raise Fault(f"math.sqrt() needs a number that is not negative, not {value}")
    return math.sqrt(value)


def shift(left: bool) -> Callable[[Frame, int, int], object]:
    """`math.bitShiftLeft` and `math.bitShiftRight` on 64 bits; the right shift fills with zeros."""

    def move(_: Frame, value: int, places: int) -> object:
        if places < 0:
            raise Fault(f"a shift needs a count that is not negative, not {places}")
        if places >= _BITS:
            return 0
        bits = value & _MASK
        return _signed((bits << places if left else bits >> places) & _MASK)

    return move


def _signed(bits: int) -> int:
    return bits - 2**_BITS if bits >> (_BITS - 1) else bits


def bitwise(function: Callable[[int, int], int]) -> Callable[[Frame, Any, Any], object]:
    """`math.bitAnd` and its like."""
    return lambda _, left, right: function(whole(left), whole(right))

"""What a value is while an expression runs: equality, order and arithmetic.

JSON knows one kind of number. Whole and fractional ones mix in arithmetic, comparison and lookup; a sum, difference,
product or remainder of whole numbers is whole, `/` is true division and gives a fraction, `%` has the sign of the
dividend, and a fraction that happens to be whole stays a fraction (3.0). Whole results outside 64 bits and results that
are infinite or not a number fail, as does division by zero. `true` is never 1.

Timestamps and durations are aware `datetime`s and `timedelta`s, exact to the microsecond. Whatever grows with the data
is paid for from a `Budget`, so that a value shared a million times over is noticed before it is copied.
"""

import math
import operator
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

MAX_RESULT_BYTES = 2 * 1024 * 1024
WORK = 1_000_000
"""What one evaluation may cost; about one unit for each operation in a loop, element compared or 16 characters made."""

CONTAINER_COST = 8
"""What a list or a map costs beside its elements, in work and in bytes."""

_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


class Fault(Exception):  # noqa: N818 - internal: it becomes an ExpressionFailure
    """Evaluation cannot go on."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        """Keep the reason in words that name the author's things."""
        super().__init__(message)
        self.message = message
        self.hint = hint


class Budget:
    """The work that an evaluation may still do."""

    __slots__ = ("left",)

    def __init__(self, left: int = WORK) -> None:
        """Start with all of it."""
        self.left = left

    def spend(self, units: int) -> None:
        """Pay for work that is about to be done.

        Raises:
            Fault: There is not enough left.
        """
        self.left -= units
        if self.left < 0:
            raise Fault("the expression needs too much work or memory for this data", "compute it in an action")


class Optional:
    """CEL's optional value: something, or nothing."""

    __slots__ = ("present", "value")

    def __init__(self, present: bool, value: object = None) -> None:
        """Hold a value if there is one."""
        self.present = present
        self.value = value


NOTHING = Optional(False)


class TypeName:
    """The result of `type(x)`, and what the names `int`, `string`, ... stand for."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        """Name the type in CEL's words."""
        self.name = name


KINDS: dict[type, str] = {
    type(None): "null",
    bool: "bool",
    int: "number",
    float: "number",
    str: "string",
    bytes: "bytes",
    list: "list",
    dict: "object",
    datetime: "timestamp",
    timedelta: "duration",
    Optional: "optional",
    TypeName: "type",
}


def kind_of(value: object) -> str:
    """Name a value's kind in the words of the messages."""
    return KINDS.get(type(value), type(value).__name__)


def whole(value: object) -> int:
    """Read a position or a count, which JSON may spell 3 or 3.0."""
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)
    raise Fault(f"a whole number is needed here, not {_shown(value)}")


def _shown(value: object) -> str:
    return f"{value}" if type(value) in (int, float) else kind_of(value)


def checked(number: Any) -> Any:
    """Refuse a number that neither 64 bits nor JSON can hold."""
    if type(number) is int:
        if _SMALLEST <= number <= _LARGEST:
            return number
    elif math.isfinite(number):
        return number
    raise Fault("the result is not a number" if math.isnan(number) else "the result is too large for a number")


def _remainder(left: Any, right: Any) -> Any:
    if right == 0:
        raise ZeroDivisionError
    if type(left) is int and type(right) is int:
        size = abs(left) % abs(right)
        return -size if left < 0 else size
    return math.fmod(left, right)


_NUMERIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": _remainder,
}
_NUMBERS = (int, float)
_JOINED = (str, bytes, list)


def arithmetic(sign: str) -> Callable[[Any, Any, Budget], object]:
    """Give the function of one of the signs `+ - * / %`."""
    return partial(_arithmetic, sign, _NUMERIC[sign])


def _arithmetic(sign: str, function: Callable[[Any, Any], Any], left: Any, right: Any, budget: Budget) -> object:
    left_type, right_type = type(left), type(right)
    try:
        if left_type in _NUMBERS and right_type in _NUMBERS:
            return checked(function(left, right))
        if sign == "+" and left_type is right_type and left_type in _JOINED:
            return _joined(left, right, budget)
        if sign in "+-" and _is_time_arithmetic(sign, left_type, right_type):
            return function(left, right)
    except ZeroDivisionError:
        raise Fault(f"division by zero: {left} {sign} {right}") from None
    except OverflowError:
        raise Fault("the result is too large") from None
    except ValueError:
        raise Fault("the result is not a number") from None
    raise Fault(*cannot_combine(sign, kind_of(left), kind_of(right)))


def _joined(left: Any, right: Any, budget: Budget) -> object:
    length = len(left) + len(right)
    budget.spend(length if type(left) is list else length >> 4)
    if length > MAX_RESULT_BYTES:
        raise Fault("the result is too large")
    return left + right


def _is_time_arithmetic(sign: str, left: type, right: type) -> bool:
    if right is timedelta:
        return left in (datetime, timedelta)
    return right is datetime and left is (timedelta if sign == "+" else datetime)


def cannot_combine(sign: str, left: str, right: str) -> tuple[str, str | None]:
    """Say that two kinds have no such operation, and what the author may have meant."""
    hint = "turn the number into text: string(...)" if sign == "+" and {left, right} == {"string", "number"} else None
    return f"`{sign}` cannot combine {article(left)} and {article(right)}", hint


def article(kind: str) -> str:
    """Put the right article before a kind: an object, a list, null."""
    if kind == "null":
        return kind
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def negative(value: Any) -> object:
    """Change a number's sign."""
    if type(value) in _NUMBERS:
        return checked(-value)
    raise Fault(f"`-` needs a number, not {article(kind_of(value))}")


_COMPARISONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_ORDERED = (str, bool, datetime, timedelta, bytes)


def comparison(sign: str) -> Callable[[Any, Any], bool]:
    """Give the function of one of the signs `< <= > >=`."""
    return partial(_compare, sign, _COMPARISONS[sign])


def _compare(sign: str, function: Callable[[Any, Any], bool], left: Any, right: Any) -> bool:
    left_type, right_type = type(left), type(right)
    if (left_type in _NUMBERS and right_type in _NUMBERS) or (left_type is right_type and left_type in _ORDERED):
        return function(left, right)
    raise Fault(f"`{sign}` cannot compare {article(kind_of(left))} with {article(kind_of(right))}")


def equal(left: Any, right: Any, budget: Budget) -> bool:
    """Compare by value: numbers across their spellings, lists and maps element by element; kinds never mix."""
    left_type, right_type = type(left), type(right)
    if left_type is not right_type:
        return left_type in _NUMBERS and right_type in _NUMBERS and bool(left == right)
    if left_type is list:
        return _lists_equal(left, right, budget)
    if left_type is dict:
        return _maps_equal(left, right, budget)
    if left_type is Optional:
        return left.present is right.present and equal(left.value, right.value, budget)
    if left_type is TypeName:
        return bool(left.name == right.name)
    return bool(left == right)


def _lists_equal(left: list[object], right: list[object], budget: Budget) -> bool:
    if len(left) != len(right):
        return False
    budget.spend(len(left) + CONTAINER_COST)
    return all(equal(one, other, budget) for one, other in zip(left, right, strict=True))


def _maps_equal(left: dict[object, object], right: dict[object, object], budget: Budget) -> bool:
    if left.keys() != right.keys():
        return False
    budget.spend(len(left) + CONTAINER_COST)
    return all(equal(value, right[key], budget) for key, value in left.items())


def sorted_keys(value: dict[Any, Any]) -> list[Any]:
    """The keys of a map in the one order that every process agrees on: whole numbers, then text by code point."""
    try:
        return sorted(value)
    except TypeError:
        return sorted(value, key=lambda key: (isinstance(key, str), key))


def timestamp_text(moment: datetime) -> str:
    """RFC 3339 in UTC, without trailing zeros of the fraction."""
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if "." in text else text) + "Z"


def duration_text(span: timedelta) -> str:
    """Seconds with up to six decimals, as protobuf's JSON form spells them: "3.5s"."""
    microseconds = span // timedelta(microseconds=1)
    seconds, fraction = divmod(abs(microseconds), 1_000_000)
    decimals = f".{fraction:06}".rstrip("0").rstrip(".")
    return f"{'-' if microseconds < 0 else ''}{seconds}{decimals}s"

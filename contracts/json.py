"""What a JSON document is in Python, and the one way in which it is written and read.

All that goes through Temporal's histories is written and measured here, so a size is that of the very bytes that are
sent. What is no JSON is refused, with its place: halves of surrogate pairs, which no UTF-8 can hold; numbers without a
finite value; and what is nested so deep that walking through it would end in the interpreter's limit on recursion,
which differs from process to process.

Dates, bytes and other Python objects are not JSON: whoever has them turns them into text first. Recursive type aliases
need Python 3.12's `type` statement to be spelt without quotes; this one works on 3.11 and is understood by mypy.
"""

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from pydantic_core import PydanticSerializationError, from_json, to_json

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

DEEPEST: Final = 100
"""How many lists and objects may stand within each other in a value from outside."""

_DEEPEST_READ = 200  # of pydantic_core
_AROUND: Final = _DEEPEST_READ - DEEPEST
_INFINITE = "it holds a number that is not finite"
_DEEP = f"it is nested deeper than {DEEPEST} levels"
_LARGE_EXPONENT = re.compile(rb"[eE]\+?\d{3}")
_NINE = ord("9")
_MANY_DIGITS = 300  # more than 308 before the point are no finite number
_BEFORE, _AFTER = b"[" * _AROUND, b"]" * _AROUND


class NotJsonError(ValueError):
    """A value cannot be written as JSON, or bytes cannot be read as JSON; says why and where."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """Stands for a payload that cannot be read, so that what takes it can say so; never a value of a run."""

    reason: str


def encode(value: Json, *, any_depth: bool = False) -> bytes:
    """Return a value as compact JSON in UTF-8.

    Args:
        value: What is written.
        any_depth: Take also what is nested deeper than `DEEPEST`: a state holds values of that depth, and is deeper.

    Raises:
        NotJsonError: It holds half a surrogate pair or a number that is not finite, or is nested too deep.
    """
    try:
        data = to_json(value)
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        raise NotJsonError(_why_unwritable(str(error))) from error
    if _may_be_infinite_as_written(data) and not _is_finite(data):
        raise NotJsonError(_INFINITE)
    if not any_depth and _is_deep(data):
        raise NotJsonError(_DEEP)
    return data


def decode(data: bytes, *, any_depth: bool = False) -> Json:
    """Return what JSON in UTF-8 says. Arguments: as of `encode`.

    Raises:
        NotJsonError: It is no JSON, holds a number that is not finite, or is nested too deep.
    """
    try:
        if any_depth or not _may_be_deep(data):
            value: Json = from_json(data, allow_inf_nan=False)
        else:
            value = _unwrapped(from_json(_BEFORE + data + _AFTER, allow_inf_nan=False))
    except ValueError as error:
        raise NotJsonError(_why_unreadable(data, str(error))) from error
    if _may_be_infinite(data):
        encode(value, any_depth=True)
    return value


def _may_be_deep(data: bytes) -> bool:
    return data.count(b"[") + data.count(b"{") > DEEPEST


def _unwrapped(value: Json) -> Json:
    """Take a value out of the lists around it, within which the reader's own limit of depth is ours.

    Raises:
        ValueError: It was not one value.
    """
    for _ in range(_AROUND):
        if not isinstance(value, list) or len(value) != 1:
            raise ValueError("more than one value")
        value = value[0]
    return value


def _may_be_infinite(data: bytes) -> bool:
    """Tell whether a number in it may overflow, which the reader takes for infinite: by its exponent, or its length."""
    if _LARGE_EXPONENT.search(data):
        return True
    half = _MANY_DIGITS // 2  # of so many digits in a row, half that many begin at one of these places
    return any(data[start : start + half].isdigit() for start in range(0, len(data), half) if data[start] <= _NINE)


def _may_be_infinite_as_written(data: bytes) -> bool:
    return b"Infinity" in data or b"NaN" in data


def _is_finite(data: bytes) -> bool:
    """Tell whether those words stand in texts only."""
    try:
        from_json(data, allow_inf_nan=False)
    except ValueError:
        return False
    return True


def _is_deep(data: bytes) -> bool:
    if not _may_be_deep(data):
        return False
    try:
        from_json(_BEFORE + data + _AFTER)
    except ValueError:
        return True
    return False


def _why_unwritable(reason: str) -> str:
    if "surrogate" in reason:
        return "it holds half a surrogate pair (a cut-off emoji, for instance), which is no text"
    if "depth" in reason or "recursion" in reason:
        return _DEEP
    return reason


def _why_unreadable(data: bytes, reason: str) -> str:
    try:
        from_json(data, allow_inf_nan=False)
    except ValueError as error:  # the places in its words are those in the data
        reason = str(error)
    if "recursion limit" in reason:
        return _DEEP
    if "hex escape" in reason or "surrogate" in reason:
        return f"it holds half a surrogate pair ({reason})"
    return reason

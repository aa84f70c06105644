"""Single values by the core schema of YAML 1.2: what a text without quotation marks means.

Only `null`, `true`, `false`, integers and floats are anything but text; `no`, `1:30` and `2024-01-15` stay text, as
they are in JSON. Values that JSON does not have (`.inf`, `.nan`, numbers beyond 64 bits) are refused, for they could
not travel to a run.
"""

from __future__ import annotations

import math
import re

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_NUMBER_START = frozenset("0123456789+-.")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_LONGEST_NUMBER = 400
_LEAST, _GREATEST = -(2**63), 2**63 - 1


def core_value(text: str) -> bool | int | float | str | None:
    """Return what the plain scalar `text` means.

    Raises:
        ValueError: It is a number that JSON or a run cannot hold; the message is for the author.
    """
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    return _number(text) if text[0] in _NUMBER_START else text


def has_leading_zero(text: str) -> bool:
    """Tell whether the plain scalar `text` is an integer such as `012`, which other readers take for an octal one."""
    digits = text.lstrip("+-")
    return len(digits) > 1 and digits[0] == "0" and _INTEGER.fullmatch(text) is not None


def _number(text: str) -> int | float | str:
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"{text} is no number that JSON has")
    if len(text) > _LONGEST_NUMBER:
        return _overlong(text)
    if _INTEGER.fullmatch(text):
        return _in_range(int(text), text)
    if _OCTAL.fullmatch(text):
        return _in_range(int(text[2:], 8), text)
    if _HEXADECIMAL.fullmatch(text):
        return _in_range(int(text[2:], 16), text)
    if _FLOAT.fullmatch(text):
        return _finite(float(text), text)
    return text


def _overlong(text: str) -> str:
    if any(form.fullmatch(text) for form in (_INTEGER, _OCTAL, _HEXADECIMAL, _FLOAT)):
        raise ValueError("a number of so many digits cannot be held exactly")
    return text


def _in_range(value: int, text: str) -> int:
    if not _LEAST <= value <= _GREATEST:
        raise ValueError(f"the integer {text:.40} does not fit into 64 bits")
    return value


def _finite(value: float, text: str) -> float:
    if not math.isfinite(value):
        raise ValueError(f"the number {text:.40} is too large")
    return value

"""`string(...)`, `int(...)` and the other conversions, the accessors of timestamps, and `format`.

A fraction becomes the shortest text that reads back as the same number; a whole one below 10^15 has no decimals: for
`string(100000000.0)`, which is "1e+08" in Google's library, that is "100000000". Time zones are those of Python.
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from workflows.language.expressions.frame import Frame
from workflows.language.expressions.google import library_call
from workflows.language.expressions.values import (
    Fault,
    Optional,
    TypeName,
    article,
    checked,
    duration_text,
    kind_of,
    sorted_keys,
    timestamp_text,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OFFSET = re.compile(r"([+-]?)(\d{1,2}):(\d{2})")
_EXACT_WHOLE = 10**15
_MAX_PRECISION = 1000


def number_text(number: float) -> str:
    """Spell a number as `string(...)` does."""
    if type(number) is float and number.is_integer() and abs(number) < _EXACT_WHOLE:
        return str(int(number))
    return repr(number)


def to_string(_: Frame, value: Any) -> object:
    """`string(x)`."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return number_text(value)
        case datetime():
            return timestamp_text(value)
        case timedelta():
            return duration_text(value)
        case bytes():
            return library_call("string", False, value)
    return value


def to_whole(_: Frame, value: Any) -> object:
    """`int(x)`: a fraction loses its decimals, a timestamp becomes seconds since 1970."""
    match value:
        case float():
            return checked(math.trunc(checked(value)))
        case datetime():
            return (value - _EPOCH) // timedelta(seconds=1)
        case str():
            return library_call("int", False, value)
    return checked(value)


def to_unsigned(frame: Frame, value: Any) -> object:
    """`uint(x)`: a whole number that is not negative; there is one kind of number, so it is an `int` from then on."""
    number: Any = to_whole(frame, value)
    if number < 0:
        raise Fault(f"uint() needs a number that is not negative, not {number}")
    return number


def to_fraction(_: Frame, value: Any) -> object:
    """`double(x)`."""
    if type(value) is str:
        return checked(library_call("double", False, value))
    return float(value)


def to_bool(_: Frame, value: Any) -> object:
    """`bool(x)`."""
    return library_call("bool", False, value) if type(value) is str else value


def to_bytes(_: Frame, value: Any) -> object:
    """`bytes(x)`."""
    return value.encode() if type(value) is str else value


def to_timestamp(_: Frame, value: Any) -> object:
    """`timestamp(x)` of RFC 3339 text or of seconds since 1970."""
    if type(value) is int:
        try:
            return _EPOCH + timedelta(seconds=value)
        except OverflowError:
            raise Fault(f"timestamp() is out of range: {value} seconds") from None
    if type(value) is str:
        return library_call("timestamp", False, value)
    return value


def to_duration(_: Frame, value: Any) -> object:
    """`duration(x)` of text such as "1h30m" or "3.5s"."""
    return library_call("duration", False, value) if type(value) is str else value


_TYPE_NAMES = {
    type(None): "null_type",
    bool: "bool",
    int: "int",
    float: "double",
    str: "string",
    bytes: "bytes",
    list: "list",
    dict: "map",
    datetime: "google.protobuf.Timestamp",
    timedelta: "google.protobuf.Duration",
    Optional: "optional_type",
    TypeName: "type",
}


def to_type(_: Frame, value: object) -> object:
    """`type(x)`."""
    return TypeName(_TYPE_NAMES[type(value)])


def _zone(name: str) -> tzinfo:
    fixed = _OFFSET.fullmatch(name)
    try:
        if fixed:
            span = timedelta(hours=int(fixed[2]), minutes=int(fixed[3]))
            return timezone(-span if fixed[1] == "-" else span)
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise Fault(f"there is no time zone {name!r}", 'use a name such as "Europe/Berlin" or "+02:00"') from None


ACCESSORS: dict[str, Callable[[datetime], int]] = {
    "getFullYear": lambda moment: moment.year,
    "getMonth": lambda moment: moment.month - 1,
    "getDate": lambda moment: moment.day,
    "getDayOfMonth": lambda moment: moment.day - 1,
    "getDayOfWeek": lambda moment: moment.isoweekday() % 7,
    "getDayOfYear": lambda moment: moment.timetuple().tm_yday - 1,
    "getHours": lambda moment: moment.hour,
    "getMinutes": lambda moment: moment.minute,
    "getSeconds": lambda moment: moment.second,
    "getMilliseconds": lambda moment: moment.microsecond // 1000,
}
"""The parts of a timestamp; months, days of the month, of the week (from Sunday) and of the year count from 0."""


def accessor(name: str) -> Callable[..., object]:
    """Give the function of one accessor, of a timestamp (with a zone, or UTC) or of a duration."""
    read = ACCESSORS[name]

    def access(_: Frame, value: Any, zone: str = "UTC") -> object:
        if type(value) is timedelta:
            return library_call(name, True, value)
        try:
            return read(value.astimezone(_zone(zone)))
        except OverflowError:
            raise Fault("the timestamp is out of range in that time zone") from None

    return access


def _plain(frame: Frame, value: Any) -> str:
    frame.spend(4)
    match value:
        case None:
            return "null"
        case list():
            return f"[{', '.join(_plain(frame, item) for item in value)}]"
        case dict():
            entries = (f"{_plain(frame, key)}: {_plain(frame, value[key])}" for key in sorted_keys(value))
            return f"{{{', '.join(entries)}}}"
        case TypeName():
            return value.name
        case str() | bytes():
            frame.spend(len(value) >> 4)
    if type(value) is Optional:
        raise Fault("format() cannot show an optional value")
    return str(to_string(frame, value))


def _whole_clause(value: Any, verb: str) -> str:
    if type(value) in (bool, int):
        return format(int(value), verb)
    if type(value) is float and verb == "d":
        return format(int(value), "d") if value.is_integer() else repr(value)
    if type(value) in (str, bytes) and verb in "xX":
        digits = (value.encode() if type(value) is str else value).hex()
        return str(digits.upper() if verb == "X" else digits)
    raise Fault(f"`%{verb}` of format() needs a whole number, not {article(kind_of(value))}")


_CLAUSE = re.compile(r"%(?:(%)|(?:\.(\d{1,4}))?([a-zA-Z]))?")


def to_format(frame: Frame, pattern: str, values: list[Any]) -> object:
    """`"...".format([...])` with %s %d %f %e %x %X %o %b %%, and a precision for %f and %e."""
    remaining = iter(values)

    def clause(found: re.Match[str]) -> str:
        percent, precision, verb = found.groups()
        if percent:
            return "%"
        if verb is None or verb not in "sdfexXob" or (precision and verb not in "fe"):
            raise Fault(f"format() does not know `{pattern[found.start() : found.end() + 1]}`", "use %s, %d, %.2f, ...")
        try:
            return _clause(frame, next(remaining), verb, int(precision or 6))
        except StopIteration:
            raise Fault(f"format() was given {len(values)} values, which is too few") from None

    text = _CLAUSE.sub(clause, pattern)
    frame.spend(len(text) >> 4)
    return text


def _clause(frame: Frame, value: Any, verb: str, precision: int) -> str:
    if verb == "s":
        return _plain(frame, value)
    if verb not in "fe":
        return _whole_clause(value, verb)
    if type(value) not in (int, float):
        raise Fault(f"`%{verb}` of format() needs a number, not {article(kind_of(value))}")
    if precision > _MAX_PRECISION:
        raise Fault(f"format() has at most {_MAX_PRECISION} decimals")
    return f"{value:.{precision}{verb}}"

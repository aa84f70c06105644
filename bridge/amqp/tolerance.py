"""Read messages whose AMQP frames cannot be read.

A producer that stamps its messages in microseconds, or whose routing keys or header names are not UTF-8, would
otherwise be fatal: the client library fails while it decodes the frame and drops the connection; the broker delivers
the message again to the next one; and so on for ever, with every other event stuck behind it.

Properties are then read one by one, and the headers entry by entry, as far as their lengths can be followed. What
cannot be read is missing, and one header of ours says what, why, and which bytes it was; whether the event can do
without is for the decoder to say (`bridge/envelope.py`). A short string of a method frame (an exchange, a routing
key, a reason; of deliveries and of what is returned) that is not UTF-8 comes through with replacement characters. The
body is judged like any other.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any, Final

from pamqp import decode
from pamqp.base import BasicProperties, Frame
from pamqp.commands import Basic

UNREADABLE: Final = "x-saga-unreadable-properties"
"""A table: what of the message cannot be read, and why.

Its names are those of AMQP's properties (`timestamp`), `headers` for the rest of the headers behind what was read, and
`header NAME` for one of them.
"""

_MAX_DEPTH = 32
_MAX_SHOWN_BYTES = 256
_MAX_NAME = 100
_MAX_REASON = 200
_MAX_NAMED = 20
_DELIVERY_MODES = (None, 0, 1, 2)
_PRINTED_NAMES = {"message_type": "type"}
_FIXED_SIZES = {"octet": 1, "timestamp": 8}
_FIXED_VALUE_SIZES = dict(zip("tbBsuIilLfdDTV\x00", (1, 1, 1, 2, 2, 4, 4, 8, 8, 4, 8, 5, 8, 0, 0), strict=True))
_SIZED_VALUES = "SAFx"
_UNREADABLE_ERRORS = (
    ValueError,
    OverflowError,
    OSError,
    ArithmeticError,
    LookupError,
    RecursionError,
    TypeError,
    struct.error,
)
_SHORT_STRING = "shortstr"
_strictly = Basic.Properties.unmarshal
_method_strictly = Frame.unmarshal
_short_string = decode.METHODS[_SHORT_STRING]


def tolerate_unreadable_frames() -> None:
    """Set the process's AMQP library to it, which has no hook for it; a second call changes nothing."""
    Basic.Properties.unmarshal = _unmarshal  # type: ignore[assignment, method-assign]
    Frame.unmarshal = _unmarshal_method  # type: ignore[assignment, method-assign]


def _unmarshal_method(frame: Frame, data: bytes) -> None:
    try:
        _method_strictly(frame, data)
    except UnicodeDecodeError:
        # What properties say is read strictly all the same: two ids with replacements might be taken for one.
        decode.METHODS[_SHORT_STRING] = _replacing
        try:
            _method_strictly(frame, data)
        finally:
            decode.METHODS[_SHORT_STRING] = _short_string


def _replacing(value: bytes) -> tuple[int, str]:
    length = value[0]
    return length + 1, value[1 : length + 1].decode(errors="replace")


def _unmarshal(properties: BasicProperties, flags: int, data: bytes) -> None:
    try:
        _strictly(properties, flags, data)
        for name in Basic.Properties.__slots__:
            _refuse_unusable(name, getattr(properties, name))
    except _UNREADABLE_ERRORS:
        _unmarshal_one_by_one(properties, flags, data)


def _unmarshal_one_by_one(properties: BasicProperties, flags: int, data: bytes) -> None:
    unreadable: dict[str, str] = {}
    headers: dict[str, Any] = {}
    for name in Basic.Properties.__slots__:
        setattr(properties, name, None)
        if not flags & Basic.Properties.flags[name]:
            continue
        kind: str = getattr(Basic.Properties, f"_{name}")
        size = _size(kind, data)
        raw, data = data[:size], data[size:]
        if len(raw) < size:
            unreadable[_PRINTED_NAMES.get(name, name)] = _reason("it ends too early", raw)
        elif name == "headers":
            headers, lost = _read_headers(raw[4:])
            unreadable |= lost
        else:
            try:
                value = decode.by_type(raw, kind)[1]
                _refuse_unusable(name, value)
            except _UNREADABLE_ERRORS as error:
                unreadable[_PRINTED_NAMES.get(name, name)] = _reason(str(error), raw)
            else:
                setattr(properties, name, value)
    setattr(properties, "headers", {**headers, UNREADABLE: unreadable})  # noqa: B010 - declared without a type


def _size(kind: str, data: bytes) -> int:
    """Return how many bytes a property takes, also where fewer are there."""
    match kind:
        case "shortstr":
            return 1 + data[0] if data else 1
        case "table":
            return 4 + int.from_bytes(data[:4])
    return _FIXED_SIZES[kind]


def _read_headers(table: bytes) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the entries that can be read, and why others cannot."""
    found: dict[str, Any] = {}
    lost: dict[str, str] = {}
    while table:
        start = 1 + table[0]
        name, size = table[1:start], _value_size(table[start:])
        value, rest = table[start : start + (size or 0)], table[start + (size or 0) :]
        if size is None or len(value) < size:
            lost["headers"] = _reason("one ends too early, or is of no known type", table)
            break
        if len(lost) == _MAX_NAMED:
            lost["headers"] = _reason("many are of an unreadable form", table)
            break
        try:
            read = decode.embedded_value(value)[1]
            _refuse_depth(read)
            found[name.decode()] = read
        except _UNREADABLE_ERRORS as error:
            lost[f"header {name[:_MAX_NAME].decode(errors='ignore')}"] = _reason(str(error), value)
        table = rest
    return found, lost


def _value_size(value: bytes) -> int | None:
    """Return how many bytes a value of a table takes with its type, also where fewer are there; None = unknown."""
    kind = value[:1].decode("latin-1")
    if kind and kind in _SIZED_VALUES:
        return 5 + int.from_bytes(value[1:5])
    return 1 + _FIXED_VALUE_SIZES[kind] if kind in _FIXED_VALUE_SIZES else None


def _reason(why: str, raw: bytes) -> str:
    more = f" and {len(raw) - _MAX_SHOWN_BYTES:,} bytes more" if len(raw) > _MAX_SHOWN_BYTES else ""
    return f"{why[:_MAX_REASON]} (bytes {raw[:_MAX_SHOWN_BYTES].hex()}{more})"


def _refuse_unusable(name: str, value: object) -> None:
    """What can be read but not made a message of counts as unreadable."""
    match name:
        case "headers":
            _refuse_depth(list(value.values()) if isinstance(value, dict) else None)
        case "delivery_mode" if value not in _DELIVERY_MODES:
            raise ValueError("it is neither 1 nor 2")
        case "expiration" if isinstance(value, str):
            float(value)


def _refuse_depth(value: object) -> None:
    """What is nested too deeply to be written again, or nearly so, counts as unreadable."""
    level: list[object] = [value]
    for _ in range(_MAX_DEPTH):
        level = [child for value in level for child in _children(value)]
        if not level:
            return
    raise ValueError(f"it is nested more than {_MAX_DEPTH} levels deep")


def _children(value: object) -> Iterable[object]:
    match value:
        case dict():
            return value.values()
        case list():
            return value
    return ()

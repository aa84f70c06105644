"""Read messages whose AMQP frames cannot be read.

A producer that stamps its messages in microseconds, or whose routing keys or header names are not UTF-8, would
otherwise be fatal: the client library fails while it decodes the frame and drops the connection; the broker delivers
the message again to the next one; and so on for ever, with every other event stuck behind it.

Properties that cannot be read come through as empty ones with one header that says why. A short string of a method
frame (an exchange, a routing key, a reason; of deliveries and of what is returned) that is not UTF-8 comes through with
replacement characters. The body is judged like any other.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

from pamqp import decode
from pamqp.base import BasicProperties, Frame
from pamqp.commands import Basic

UNREADABLE: Final = "x-saga-unreadable-properties"

_MAX_DEPTH = 32
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
        _refuse_depth(properties)
    except (ValueError, OverflowError, OSError, ArithmeticError, LookupError, RecursionError, struct.error) as error:
        empty = Basic.Properties(headers={UNREADABLE: str(error)[:200]})
        for name in Basic.Properties.__slots__:
            setattr(properties, name, getattr(empty, name))


def _refuse_depth(properties: BasicProperties) -> None:
    """What is nested too deeply to be written again, or nearly so, counts as unreadable."""
    level: list[object] = [getattr(properties, "headers", None)]
    for _ in range(_MAX_DEPTH):
        level = [child for value in level for child in _children(value)]
        if not level:
            return
    raise ValueError(f"the headers are nested more than {_MAX_DEPTH} levels deep")


def _children(value: object) -> Iterable[object]:
    match value:
        case dict():
            return value.values()
        case list():
            return value
    return ()

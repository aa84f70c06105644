"""Read messages whose AMQP properties cannot be read.

A producer that stamps its messages in microseconds, or whose header names are not UTF-8, would otherwise be fatal:
the client library fails while it decodes the frame and drops the connection; the broker delivers the message again
to the next one; and so on for ever, with every other event stuck behind it. Such a message comes through here with
empty properties and one header that says why. Its body is judged like any other.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

from pamqp.base import BasicProperties
from pamqp.commands import Basic

UNREADABLE: Final = "x-saga-unreadable-properties"

_MAX_DEPTH = 32
_strictly = Basic.Properties.unmarshal


def tolerate_unreadable_properties() -> None:
    """Set the process's AMQP library to it; a second call changes nothing."""
    Basic.Properties.unmarshal = _unmarshal  # type: ignore[assignment, method-assign]  # the library has no hook for it


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

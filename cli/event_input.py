"""Events that a person gives on the command line: one JSON object, a list of them, or one on each line (NDJSON).

A file of any length is read line by line, so that a million events need no more memory than one. What an event leaves
out (id, time, source, type) is filled in; then it has to pass the same gate as an event from the bus.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import json
import sys
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO, TypeVar

from bridge.envelope import MAX_BYTES, Properties, decode
from bridge.errors import MalformedEventError
from cli.exits import BadInputError
from contracts.envelope import Event
from contracts.json import Json

T = TypeVar("T")
_AHEAD = 100
_LONGEST_LINE = 4 * MAX_BYTES
_LONGEST_DOCUMENT = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Defaults:
    """What is filled in where an event does not say it.

    Attributes:
        type: Its type; None = it must say it itself.
        version: The version of its data; None = 1.0.
        source: Who publishes it.
        key: The key of the events that keep their order.
        identity: Its id; None = a new one for each.
        expires_in: How long from now on it is of use; None = for ever.
    """

    type: str | None = None
    version: str | None = None
    source: str = "saga"
    key: str | None = None
    identity: str | None = None
    expires_in: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """One document that is to be an event; `place` says where it stood, such as `line 7`."""

    place: str
    document: Json


@contextmanager
def opened(name: str) -> Iterator[TextIO]:
    """Open a file, or standard input for `-`.

    Raises:
        BadInputError: It cannot be opened.
    """
    if name == "-":
        yield sys.stdin
        return
    try:
        file = Path(name).open(encoding="utf-8")  # noqa: SIM115  # closed below; what the block raises is not ours
    except OSError as error:
        raise BadInputError(f"{name} cannot be read: {error.strerror}.") from error
    with file:
        yield file


def documents(stream: TextIO) -> Iterator[Given]:
    """Yield what a stream holds: each line by itself if the first is a JSON document, else the whole as one.

    Raises:
        BadInputError: It is no JSON, or too long.
    """
    first = _line(stream)
    while first and not first.strip():
        first = _line(stream)
    if first and not _is_json(first):
        yield from _in_one(first + _text(stream.read, _LONGEST_DOCUMENT))
        return
    number, line = 1, first
    while line:
        if line.strip():
            yield from _spread(f"line {number}", _parsed(line, f"line {number}"))
        number, line = number + 1, _line(stream)


async def in_background(items: Iterable[T]) -> AsyncIterator[T]:
    """Yield what an iterator that blocks gives, while the event loop keeps running.

    The thread is a daemon: one that waits for standard input cannot be ended, and must not keep the process.
    """
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[tuple[T] | Exception | None](_AHEAD)

    def put(item: tuple[T] | Exception | None) -> None:
        with contextlib.suppress(RuntimeError, concurrent.futures.CancelledError):  # the loop has ended meanwhile
            asyncio.run_coroutine_threadsafe(queue.put(item), loop).result()

    def feed() -> None:
        try:
            for item in items:
                put((item,))
        except BadInputError as error:
            put(error)
        finally:
            put(None)

    threading.Thread(target=feed, daemon=True).start()
    while (item := await queue.get()) is not None:
        if isinstance(item, Exception):
            raise item
        yield item[0]


def event_of(document: Json, defaults: Defaults, now: datetime) -> Event:
    """Return the event that a document is, with what it leaves out.

    Raises:
        MalformedEventError: It is none; the detail says why.
    """
    filled = document
    if isinstance(document, dict) and "specversion" not in document:
        said = {"event_type": defaults.type, "event_version": defaults.version, "source": defaults.source}
        filled = {**{name: value for name, value in said.items() if value is not None}, **document}
    properties = Properties(message_id=defaults.identity or str(uuid.uuid4()), timestamp=now)
    event = decode(_encoded(filled), properties)
    if defaults.key is not None and event.group_id is None:
        event = replace(event, metadata={**event.metadata, "group_id": defaults.key})
    if defaults.expires_in is not None and event.expires_at is None:
        event = replace(event, expires_at=now + defaults.expires_in)
    return event


def now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


def _encoded(document: Json) -> bytes:
    try:
        return json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    except ValueError as error:  # half of a surrogate pair, a number that is none
        raise MalformedEventError(f"It cannot be written as JSON: {error}.") from None


def _line(stream: TextIO) -> str:
    line = _text(stream.readline, _LONGEST_LINE + 1)
    if len(line) > _LONGEST_LINE:
        raise BadInputError(f"A line has more than {_LONGEST_LINE:,} characters.")
    return line


def _text(read: Callable[[int], str], limit: int) -> str:
    try:
        return read(limit)
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"The input cannot be read: {error}.") from error


def _in_one(text: str) -> Iterator[Given]:
    if len(text) >= _LONGEST_DOCUMENT:
        raise BadInputError("The document is too long; write one event on each line instead.")
    yield from _spread("the document", _parsed(text, "the document"))


def _spread(place: str, document: Json) -> Iterator[Given]:
    if isinstance(document, list):
        yield from (Given(f"{place}, event {number}", each) for number, each in enumerate(document, 1))
    else:
        yield Given(place, document)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _parsed(text: str, place: str) -> Json:
    try:
        document: Json = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"In {place} is no JSON: {error}.") from None
    return document

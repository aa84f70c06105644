"""What every form of an event is read with: a bounded JSON document and checked members.

Bytes from the bus are hostile until these functions have returned: size, nesting and text are bounded, and whatever
is wrong ends as one `MalformedEventError` that names the member as the producer spelled it. The forms themselves are
in `bridge/envelope.py` and `bridge/cloudevents.py`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from bridge.errors import MalformedEventError
from contracts.json import Json

MAX_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 64
_MAX_ID = 200
_MAX_TEXT = 1_000
_MAX_TYPE_BYTES = 255
_TYPE = re.compile(r"[^\s.*#\x00-\x1f\x7f]+(?:\.[^\s.*#\x00-\x1f\x7f]+)*")
_LEAP_SECOND = re.compile(r"([Tt ]\d\d:\d\d):60")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Properties:
    """The AMQP properties that can stand in for members of the envelope.

    Attributes:
        message_id: Stands in for the event's id.
        timestamp: Stands in for the event's time; aware.
        correlation_id: Stands in for `metadata.correlation_id`.
        headers: The attributes of a CloudEvent in binary mode; group and trace context.
        content_type: Tells the forms apart.
        expiration: How long after `timestamp` the message is of use.
        received: When the message first came into hand; aware. Stands in for the time of a CloudEvent that has none.
        unreadable: What else the message has and nobody can read, with the reason: a property by its name in AMQP,
            `headers` for headers that may be missing, `header NAME` for one that is.
    """

    message_id: str | None = None
    timestamp: datetime | None = None
    correlation_id: str | None = None
    headers: Mapping[str, Any] = field(default_factory=dict)
    content_type: str | None = None
    expiration: timedelta | None = None
    received: datetime | None = None
    unreadable: Mapping[str, str] = field(default_factory=dict)

    def refuse_unreadable(self, *names: str, needed_for: str) -> None:
        """Refuse a message of which something is needed that cannot be read; named as in `unreadable`.

        Raises:
            MalformedEventError: One of these cannot be read.
        """
        for name in names:
            if why := self.unreadable.get(name):
                what = f"`{name}` of the message" if name != "headers" else "some of the message's `headers`"
                raise MalformedEventError(f"{needed_for} is not in the body, and {what} cannot be read: {why}.")


def bounded(body: bytes) -> bytes:
    """Return the body of a message that is not too long.

    Raises:
        MalformedEventError: It is.
    """
    if len(body) > MAX_BYTES:
        raise MalformedEventError(f"It has {len(body):,} bytes; {MAX_BYTES:,} are allowed.")
    return body


def json_in(body: bytes, what: str = "It") -> Json:
    """Return the JSON in a body; `what` is the subject of the complaint.

    Raises:
        MalformedEventError: It is no JSON in UTF-8, too long, too deep, or holds what JSON cannot say.
    """
    try:
        document: Json = json.loads(bounded(body).decode(), parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise MalformedEventError(f"{what} is not JSON in UTF-8: {error}.") from None
    _check_content(document)
    return document


def identity(value: object, name: str) -> str:
    """Return an event's id: a text of 1 to 200 characters.

    Raises:
        MalformedEventError: It is none.
    """
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_ID or _CONTROL.search(value):
        raise MalformedEventError(f"`{name}` must be a text of 1 to {_MAX_ID} characters.")
    return value


def event_type(value: object, name: str) -> str:
    """Return an event's type: words with dots between, which is also its routing key.

    Raises:
        MalformedEventError: It is none.
    """
    if not isinstance(value, str) or len(value.encode()) > _MAX_TYPE_BYTES or _TYPE.fullmatch(value) is None:
        raise MalformedEventError(f"`{name}` must be words with dots between, such as `agent.created`.")
    return value


def text(value: object, name: str) -> str:
    """Return a text of one line: at most 1,000 characters, none of which is a control character.

    The texts that pass here become columns of the event log, and PostgreSQL's texts hold no NUL.

    Raises:
        MalformedEventError: It is none.
    """
    if not isinstance(value, str) or len(value) > _MAX_TEXT or _CONTROL.search(value):
        raise MalformedEventError(f"`{name}` must be a text of one line, of at most {_MAX_TEXT:,} characters.")
    return value


def key_text(value: object, name: str) -> str | None:
    """Return what ties events together, a group or a correlation id: a text; a whole number counts as its digits.

    Returns:
        None where there is none: null, or an empty text.

    Raises:
        MalformedEventError: It is anything else. Left out, it would cost the order of the events, which nobody notices.
    """
    if value is None or value == "":
        return None
    return text(str(value) if isinstance(value, int) and not isinstance(value, bool) else value, name)


def moment(value: object, name: str) -> datetime:
    """Return a moment in UTC, from RFC 3339 (with small letters and leap seconds too) or from an AMQP timestamp.

    Raises:
        MalformedEventError: It is none, has no zone, or is out of range.
    """
    found = _read_moment(value) if isinstance(value, str) else value
    if not isinstance(found, datetime) or found.tzinfo is None:
        raise MalformedEventError(f"`{name}` must be a moment with its zone, such as `2024-01-15T10:30:00Z`.")
    try:
        return found.astimezone(UTC)
    except OverflowError:
        raise MalformedEventError(f"`{name}` is out of range.") from None


def _read_moment(value: str) -> datetime | None:
    # A leap second is the first of the next minute, as in POSIX time.
    before, is_leap = _LEAP_SECOND.subn(r"\1:59", value)
    try:
        return datetime.fromisoformat(before.upper()) + timedelta(seconds=is_leap)
    except (ValueError, OverflowError):
        return None


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"the number {digits[:20]} is out of range")
    return number


def _check_content(document: Json) -> None:
    level: list[Json] = [document]
    for _ in range(MAX_DEPTH):
        level = [child for value in level for child in _children(value)]
        if not level:
            return
    raise MalformedEventError(f"It is nested more than {MAX_DEPTH} levels deep.")


def _children(value: Json) -> list[Json]:
    match value:
        case dict():
            return [*value, *value.values()]
        case list():
            return value
        case str() if not value.isascii():
            _refuse_surrogates(value)
    return []


def _refuse_surrogates(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise MalformedEventError("It holds half of a Unicode surrogate pair.") from None

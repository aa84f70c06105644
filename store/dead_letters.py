"""Dead letters: what could not be handled, kept for people.

A letter is stored once, however often it is delivered: its id is fixed by the message. Letters with one code whose
reasons differ only in ids and numbers are one group, because their cause is usually one. Nothing is deleted by hand,
only marked; what is old is purged whole.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from contracts.json import Json
from store.database import Database, Row
from store.queries import load

State = Literal["open", "retried", "dropped"]

OPEN: Final[tuple[State, ...]] = ("open",)
ALL: Final[tuple[State, ...]] = ("open", "retried", "dropped")

_SQL: Final = load("dead_letters")
_FINGERPRINT_LENGTH = 8
MOST_GROUPS: Final = 1_000
MAX_PAGE_BYTES: Final = 16 * 1024 * 1024
_PURGE_AT_ONCE = 1_000
_DROP_AT_ONCE = 2_000
_MAX_ID = 200
_MAX_TEXT = 1_000
_MAX_REASON = 2_000
_MAX_ATTEMPTS = 2**31 - 1
_PARTS = re.compile(r"(?<!\w)'[^']*'|(?<!\w)\"[^\"]*\"|[^\s;()]+")
_PARTICULAR = re.compile(r"[0-9/]")
_QUOTES = ("'", '"')


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as it came.

    Attributes:
        letter_id: Fixed by the message.
        event_id: None where it is no event and has no message id.
        event_type: Likewise.
        exchange: Where it was first published.
        routing_key: The key that it was published with.
        code: The code of the error.
        reason: Why, for people.
        attempts: How often it was tried.
        first_at: When it first came into hand.
        last_at: When it was put aside.
        headers: The message's headers.
        properties: The message's AMQP properties by name.
        content_type: What the body is.
        body: The message's bytes.
    """

    letter_id: str
    event_id: str | None
    event_type: str | None
    exchange: str
    routing_key: str
    code: str
    reason: str
    attempts: int
    first_at: datetime
    last_at: datetime
    headers: Mapping[str, Json]
    properties: Mapping[str, Json]
    content_type: str | None
    body: bytes


@dataclass(frozen=True, slots=True)
class StoredLetter(Letter):
    """A dead letter on record.

    `edited` = whether its body is another than the one that came; `outcome` = what became of it when it was retried
    last, for people; None where that is not known (yet).
    """

    id: int
    fingerprint: str
    edited: bool
    state: State
    changed_at: datetime
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class RetryOutcome:
    """What became of the letter `letter` by the retry `retry`, for people."""

    letter: int
    retry: UUID
    outcome: str


@dataclass(frozen=True, slots=True)
class Group:
    """Letters of one kind and state: how many, since when, the latest reason, the latest letter's id."""

    state: State
    code: str
    fingerprint: str
    letters: int
    reason: str
    first_at: datetime
    last_at: datetime
    example: int


@dataclass(frozen=True, slots=True)
class Selection:
    """Which letters are meant: those in one of the states for which all that is given holds."""

    states: Sequence[State] = OPEN
    code: str | None = None
    fingerprint: str | None = None


EVERY_OPEN: Final = Selection()


def fingerprint_of(code: str, reason: str) -> str:
    """Return what is the same for reasons that differ only in ids and numbers."""
    common = _PARTS.sub(_common, reason)
    return hashlib.sha256(f"{code}\n{common}".encode()).hexdigest()[:_FINGERPRINT_LENGTH]


async def add(database: Database, letters: Sequence[Letter]) -> list[str]:
    """Store letters in one statement and return the ids (`letter_id`) of those that are news.

    A letter that is delivered again is none. One that was put aside again after an operator had dealt with it is, and
    is open again. Whatever PostgreSQL would refuse (NUL, endless texts, numbers that are none) is replaced, so that one
    odd message does not hold up the others.
    """
    rows = list({row[0]: row for row in map(_row, letters)}.values())
    if not rows:
        return []
    columns = [[row[at] for row in rows] for at in range(len(rows[0]))]
    return [row["letter_id"] for row in await database.fetch(_SQL["add"], *columns)]


async def groups(database: Database, selection: Selection = EVERY_OPEN, limit: int = MOST_GROUPS) -> list[Group]:
    """Return what there is by state, code and kind of reason, the largest first, at most `limit`."""
    rows = await database.fetch(_SQL["groups"], list(selection.states), selection.code, selection.fingerprint, limit)
    return [Group(**row) for row in rows]


async def page(
    database: Database,
    selection: Selection = EVERY_OPEN,
    *,
    after: int = 0,
    until: int | None = None,
    limit: int = 100,
) -> list[StoredLetter]:
    """Return letters in the order in which they came, behind the id `after`, up to the id `until`.

    At most `limit`, and no more once their bodies have `MAX_PAGE_BYTES` together.
    """
    arguments = (after, until, selection.code, selection.fingerprint, limit, MAX_PAGE_BYTES)
    if tuple(selection.states) == OPEN:
        return [_stored(row) for row in await database.fetch(_SQL["open_page"], *arguments)]
    return [_stored(row) for row in await database.fetch(_SQL["page"], *arguments, list(selection.states))]


async def of_ids(database: Database, ids: Sequence[int]) -> list[StoredLetter]:
    """Return the letters with these ids, in their order; those that are not there are left out."""
    return [_stored(row) for row in await database.fetch(_SQL["of_ids"], list(ids))]


async def states(database: Database, ids: Sequence[int]) -> Mapping[int, State]:
    """Return the states of the letters with these ids; those that are not there are left out."""
    return {row["id"]: row["state"] for row in await database.fetch(_SQL["states"], list(ids))}


async def last_id(database: Database) -> int:
    """Return the id of the latest letter; 0 where there is none."""
    return int((await database.fetch(_SQL["last"]))[0]["id"])


async def count(database: Database, selection: Selection = EVERY_OPEN) -> int:
    """Return how many letters are meant."""
    rows = await database.fetch(_SQL["count"], list(selection.states), selection.code, selection.fingerprint)
    return int(rows[0]["letters"])


async def get(database: Database, letter: int) -> StoredLetter | None:
    """Return the letter with this id, or None."""
    rows = await database.fetch(_SQL["get"], letter)
    return _stored(rows[0]) if rows else None


async def set_state(database: Database, letters: Sequence[int], state: State) -> int:
    """Mark letters as retried or dropped, or open them again; return how many were in another state."""
    async with database.transaction() as session:
        return await session.execute(_SQL["set_state"], list(letters), state)


async def close(database: Database, letters: Sequence[int], retry: UUID) -> None:
    """Mark letters as retried by `retry`, whatever they were."""
    await database.fetch(_SQL["close"], list(letters), retry)


async def drop(
    database: Database, selection: Selection = EVERY_OPEN, told: Callable[[int], None] = lambda _: None
) -> int:
    """Mark all open letters that are meant as dropped, some thousand at a time, and return how many.

    `told` is called with how many of them are dropped so far, also where it ends by an error.
    """
    dropped, after, until = 0, 0, await last_id(database)
    while rows := await database.fetch(
        _SQL["drop_open"], selection.code, selection.fingerprint, after, until, _DROP_AT_ONCE
    ):
        dropped, after = dropped + len(rows), max(row["id"] for row in rows)
        told(dropped)
    return dropped


async def note(database: Database, outcomes: Sequence[RetryOutcome]) -> None:
    """Write down what became of retried letters; of one retry the first that is said of a letter stays."""
    latest = {each.letter: each for each in outcomes}
    chosen = [latest[letter] for letter in sorted(latest)]
    said = [_text(each.outcome, _MAX_REASON) for each in chosen]
    await database.fetch(_SQL["note"], [each.letter for each in chosen], [each.retry for each in chosen], said)


async def edit(database: Database, letter: int, body: bytes) -> bool:
    """Give a letter another body, which opens it again, and tell whether it is there; the first body is kept."""
    async with database.transaction() as session:
        return await session.execute(_SQL["edit"], letter, body) > 0


async def purge(database: Database, older_than: timedelta) -> int:
    """Delete letters that were put aside longer ago, some thousand at a time, and return how many."""
    purged = 0
    while True:
        async with database.transaction() as session:
            deleted = await session.execute(_SQL["purge"], older_than, _PURGE_AT_ONCE)
        purged += deleted
        if deleted < _PURGE_AT_ONCE:
            return purged


async def counts(database: Database) -> Mapping[str, Mapping[State, int]]:
    """Return how many letters there are by code and state."""
    found: defaultdict[str, dict[State, int]] = defaultdict(dict)
    for row in await database.fetch(_SQL["counts"]):
        found[row["code"]][row["state"]] = row["letters"]
    return found


def _common(part: re.Match[str]) -> str:
    """A word as it is; quoted text, ids, numbers, moments and names of runs as one sign."""
    return "#" if part[0][0] in _QUOTES or _PARTICULAR.search(part[0]) else part[0]


def _row(letter: Letter) -> tuple[Any, ...]:
    code, reason = _text(letter.code, _MAX_ID), _text(letter.reason, _MAX_REASON)
    return (
        _identity(letter.letter_id),
        _optional(letter.event_id),
        _optional(letter.event_type),
        _text(letter.exchange),
        _text(letter.routing_key),
        code,
        reason,
        fingerprint_of(code, reason),
        min(letter.attempts, _MAX_ATTEMPTS),
        letter.first_at,
        letter.last_at,
        _as_jsonb(letter.headers),
        _as_jsonb(letter.properties),
        _optional(letter.content_type),
        letter.body,
    )


def _stored(row: Row) -> StoredLetter:
    return StoredLetter(**row)


def _identity(text: str) -> str:
    """An id that an index can hold."""
    return _text(text) if len(text) <= _MAX_ID else hashlib.sha256(text.encode()).hexdigest()


def _optional(text: str | None) -> str | None:
    return None if text is None else _text(text, _MAX_ID)


def _text(text: str, length: int = _MAX_TEXT) -> str:
    return text[:length].replace("\x00", "\ufffd")


def _as_jsonb(values: Mapping[str, Json]) -> str:
    return json.dumps(_storable(dict(values)), ensure_ascii=False)


def _storable(value: Json) -> Json:
    match value:
        case str():
            return value.replace("\x00", "\ufffd")
        case float() if not math.isfinite(value):
            return str(value)
        case list():
            return [_storable(item) for item in value]
        case dict():
            return {name.replace("\x00", "\ufffd"): _storable(item) for name, item in value.items()}
    return value

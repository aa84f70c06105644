"""The event log: what came, whether it came before, and what became of it.

`record` and `mark` are one statement each for a whole batch, so that the bridge pays for a round trip once in some
hundred events. `record` need not wait for the disk: what it writes belongs to a message that is not acknowledged yet,
and `mark`, which comes before the acknowledgement, waits for both. An event that two bridges record at one moment is
new for one of them only.

What tells events apart is their identity, which is what `event_id` is here and in the tables: the event's id, or for
a CloudEvent its source and id.

The log has a partition a day. Whoever follows it uses `store/event_reader.py`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any, Final, Literal, cast

import asyncpg

from contracts.envelope import Event
from contracts.json import Json
from store.database import Database, Row
from store.errors import StatementRefusedError, TransactionConflictError
from store.queries import load

Status = Literal["new", "again", "duplicate", "conflict"]

_SQL: Final = load("event_log")
_NOTHING: Final[Mapping[str, Json]] = MappingProxyType({})
_NOT_OF_THE_EVENT: Final = frozenset({"replay", "group_id", "traceparent", "tracestate"})
_IN_METADATA: Final = "metadata."
_ELSEWHERE_ON_RECORD: Final = frozenset({"duplicate", "conflict"})
_MAX_KEY = 200
_FORGET_AT_ONCE = 10_000
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event as it came from the bus.

    Attributes:
        event: The event.
        group_key: The key whose events are handled in order.
        priority: 0 to 9.
        digest: `digest_of(event)`.
        is_replay: Whether it comes from the log or from the dead letters rather than from its producer.
        since: Of a replay, the day (UTC) from which on the log may know the event; None = any.
    """

    event: Event
    group_key: str | None
    priority: int
    digest: bytes
    is_replay: bool = False
    since: date | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the log says about an arrival.

    Attributes:
        status: `new`: the first with its id within the window. `again`: seen, and not handled to its end, or a replay.
            `duplicate`: handled. `conflict`: the id is known with another content.
        behind: How long the last of the earlier events with the same group key waits for its next try, if one does.
        done: What the event did before, by request id. Only for `again` and for replays; for these, on any day that is
            in the log, not only within the window.
        missing: Of a replay, a day that has left the log and may have known more of what it did.
    """

    status: Status
    behind: timedelta | None
    done: Mapping[str, Json]
    missing: date | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """What became of an event.

    Attributes:
        event_id: The event, by its identity.
        outcome: dispatched, unrouted, dead-lettered, expired or held.
        effects: What it did, by request id: `{"kind", "workflow_id", "run_id"}`; added to what is on record.
        reason: Why, where it was not dispatched.
        of_held: Whether it is about a message of the event that was held. An outcome that another trigger gave the
            event meanwhile is then left.
    """

    event_id: str
    outcome: str
    effects: Mapping[str, Json] = field(default_factory=dict)
    reason: str | None = None
    of_held: bool = False

    def then(self, later: Mark) -> Mark:
        """Return both as one. What a keeper delivered before its own event was marked as held stays delivered."""
        if self.of_held and later.outcome == "held":
            return replace(self, effects={**later.effects, **self.effects})
        return replace(later, effects={**self.effects, **later.effects}, of_held=self.of_held and later.of_held)


def digest_of(event: Event) -> bytes:
    """Return the SHA-256 of what the producer said: not of how the event travels (key, trace, replay).

    Nor of what the message filled in: a repetition may be sent at another time, or for another cause.
    """
    filled = {name.removeprefix(_IN_METADATA) for name in event.filled if name.startswith(_IN_METADATA)}
    envelope = _envelope(event, _NOT_OF_THE_EVENT | filled)
    said = {name: value for name, value in envelope.items() if name not in event.filled}
    return hashlib.sha256(_compact(said, sort=True).encode()).digest()


async def record(database: Database, arrivals: Sequence[Arrival], window: timedelta) -> list[Verdict]:
    """Write those that are new to the log and return what is known of each, in the order of `arrivals`.

    Args:
        database: Where the log is.
        arrivals: Up to some hundred. An id may be among them several times.
        window: How long an id is remembered; an older one counts as new.

    Raises:
        TransactionConflictError: Others were in the way, several times.
        ServiceUnreachableError: PostgreSQL is away; nothing was written.
        ConnectionLostError: It went away meanwhile; recording again is harmless, but `new` may become `again`.
    """
    verdicts: list[Verdict | None] = [None] * len(arrivals)
    left = list(range(len(arrivals)))
    for _ in range(_TRIES):
        rows = await _recorded(database, [arrivals[place] for place in left], window)
        for place, row in zip(left, rows, strict=True):
            verdicts[place] = _verdict(row)
        # Another bridge recorded the same id at the same moment: the next look sees it.
        left = [place for place in left if verdicts[place] is None]
        if not left:
            return await _with_past(database, arrivals, cast("list[Verdict]", verdicts))
    raise TransactionConflictError("Other bridges record the same events.")


async def mark(database: Database, marks: Sequence[Mark]) -> list[bool]:
    """Write down what became of events, and let later events with their group keys pass; safe on disk on return.

    Returns:
        Of each, in their order, whether it was on record. One that was recorded may not be: what `record` writes can be
        lost when PostgreSQL crashes. It is then to be recorded and marked again.

    Duplicates and conflicts are passed over: the row with their id is that of another message. Errors as for `record`;
    marking again is harmless.
    """
    latest: dict[str, Mark] = {}
    for each in marks:
        if each.outcome not in _ELSEWHERE_ON_RECORD:
            before = latest.get(each.event_id)
            latest[each.event_id] = each if before is None else before.then(each)
    # One order for all: two statements that lock the same rows wait for each other, not both ways.
    chosen = [latest[event_id] for event_id in sorted(latest)]
    found: set[str] = set()
    if chosen:
        rows = await database.fetch(
            _SQL["mark"],
            [each.event_id for each in chosen],
            [each.outcome for each in chosen],
            [None if each.reason is None else _text(each.reason) for each in chosen],
            [_as_jsonb(each.effects) for each in chosen],
            [each.of_held for each in chosen],
        )
        found = {row["event_id"] for row in rows}
    return [each.outcome in _ELSEWHERE_ON_RECORD or each.event_id in found for each in marks]


async def delay(
    database: Database, event_id: str, group_key: str, due: timedelta, effects: Mapping[str, Json] = _NOTHING
) -> bool:
    """Remember that an event waits so long for its next try, until it is marked, and what it did so far.

    `event_id` is the event's identity.

    Returns:
        Whether it was on record; see `mark`.
    """
    rows = await database.fetch(_SQL["delay"], event_id, _bounded(group_key), due, _as_jsonb(effects))
    return bool(rows)


async def ensure_days(database: Database, ahead: int = 2) -> list[date]:
    """Make the partitions of today (UTC) and of the days ahead, and return those that were missing."""
    return [row["day"] for row in await database.fetch(_SQL["ensure_days"], ahead)]


async def forget_delayed(database: Database) -> None:
    """Forget events that should have come back from their delay long ago, and never did."""
    await database.fetch(_SQL["forget_delayed"])


async def forget_seen(database: Database, window: timedelta) -> int:
    """Forget ids older than the window, some thousand at a time, and return how many."""
    forgotten = 0
    while True:
        async with database.transaction() as session:
            count = await session.execute(_SQL["forget_seen"], window, _FORGET_AT_ONCE)
        forgotten += count
        if count < _FORGET_AT_ONCE:
            return forgotten


async def lag(database: Database) -> timedelta | None:
    """Return the age of the oldest event of the last two days that has no outcome; None where there is none."""
    age: timedelta | None = (await database.fetch(_SQL["lag"]))[0]["lag"]
    return age


async def recent(database: Database, since: timedelta) -> list[Row]:
    """Return what came since, by type: `event_type`, `events`, `in_hand`, `dead_lettered`, `latest`; most first."""
    return await database.fetch(_SQL["recent"], since)


async def _recorded(database: Database, arrivals: Sequence[Arrival], window: timedelta) -> list[Row]:
    columns = _columns(arrivals)
    try:
        return await database.fetch(_SQL["record"], *columns, window)
    except StatementRefusedError as error:
        if not isinstance(error.__cause__, asyncpg.CheckViolationError):
            raise
    await ensure_days(database)  # the day has no partition yet
    return await database.fetch(_SQL["record"], *columns, window)


async def _with_past(database: Database, arrivals: Sequence[Arrival], verdicts: list[Verdict]) -> list[Verdict]:
    """Add what all days of the log know of replays."""
    places = [place for place, arrival in enumerate(arrivals) if arrival.is_replay]
    if places:
        replays = [arrivals[place] for place in places]
        ids, days = [each.event.identity for each in replays], [each.since for each in replays]
        rows = await database.fetch(_SQL["past"], ids, days)
        for place, row in zip(places, rows, strict=True):
            verdicts[place] = replace(verdicts[place], done=row["done"] or _NOTHING, missing=row["missing"])
    return verdicts


def _columns(arrivals: Sequence[Arrival]) -> tuple[list[Any], ...]:
    rows = [_row(arrival) for arrival in arrivals]
    return tuple([row[at] for row in rows] for at in range(len(rows[0]))) if rows else ([],) * 11


def _row(arrival: Arrival) -> tuple[Any, ...]:
    event = arrival.event
    return (
        event.identity,
        arrival.digest,
        event.type,
        _text(event.version),
        _text(event.source),
        event.time,
        _text(event.correlation_id),
        None if arrival.group_key is None else _bounded(arrival.group_key),
        arrival.priority,
        _compact(_envelope(event, frozenset({"replay"}))),
        arrival.is_replay,
    )


def _verdict(row: Row) -> Verdict | None:
    return None if row["status"] is None else Verdict(row["status"], row["behind"], row["done"] or _NOTHING)


def _envelope(event: Event, without: frozenset[str]) -> dict[str, Json]:
    """Return the event as it travels, without some of its metadata."""
    metadata = {name: value for name, value in event.metadata.items() if name not in without}
    return event.to_json() | {"metadata": metadata}


def _compact(envelope: Mapping[str, Json], *, sort: bool = False) -> str:
    return json.dumps(envelope, ensure_ascii=False, separators=(",", ":"), sort_keys=sort)


def _bounded(key: str) -> str:
    """A key that an index can hold."""
    return _text(key) if len(key) <= _MAX_KEY else hashlib.sha256(key.encode()).hexdigest()


def _text(value: str) -> str:
    """PostgreSQL's text holds no NUL."""
    return value.replace("\x00", "\ufffd")


def _as_jsonb(effects: Mapping[str, Json]) -> str:
    return json.dumps(_without_nul(dict(effects)), ensure_ascii=False)


def _without_nul(value: Json) -> Json:
    match value:
        case str():
            return _text(value)
        case list():
            return [_without_nul(item) for item in value]
        case dict():
            return {_text(name): _without_nul(item) for name, item in value.items()}
    return value

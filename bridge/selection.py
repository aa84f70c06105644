"""Which events of the log a replay publishes again: the criteria, and what they select.

The filter is the same CEL that triggers are written in, over `event` alone. An event for which it has no value (it
asks for a member that this one lacks) is left out, as a trigger's `when` leaves none but those it holds for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from bridge.envelope import Properties, decode
from bridge.errors import MalformedEventError
from contracts.envelope import Event
from contracts.errors import PermanentError
from contracts.json import Json
from contracts.topics import topic_matches
from store import replays
from store.database import Database
from store.replays import PastEvent, Place, Reached, Span
from workflows.language.expressions.cel import Expression, compile_expression
from workflows.language.expressions.model import ExpressionErrors, ExpressionFailure

PAGE: Final = 100


class BadFilterError(PermanentError):
    """The filter cannot be used; write a CEL expression over `event` that is true or false."""

    code = "bad-filter"


class DaysArchivedError(PermanentError):
    """Some of these days are in the archive only; bring them back first."""

    code = "days-archived"


@dataclass(frozen=True, slots=True)
class Criteria:
    """Which events are published again, and how.

    Attributes:
        start: Recorded at this moment or later; aware.
        end: Recorded before this moment; aware.
        pattern: Topic pattern of their types.
        condition: CEL over `event` that must be true; an event for which it has no value is left out.
        again: Whether what was carried out already is carried out once more.
    """

    start: datetime
    end: datetime
    pattern: str = "#"
    condition: str | None = None
    again: bool = False

    def to_json(self) -> dict[str, Json]:
        """Return it as it is put on record."""
        return {
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "pattern": self.pattern,
            "condition": self.condition,
            "again": self.again,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Criteria:
        """Read what `to_json` gave."""
        moments = (datetime.fromisoformat(record["start"]), datetime.fromisoformat(record["end"]))
        return cls(*moments, record["pattern"], record["condition"], record["again"])


@dataclass(frozen=True, slots=True)
class Survey:
    """What a replay would publish: how many of each type, and the first few."""

    types: Mapping[str, int]
    first: Sequence[Event]


@dataclass(frozen=True, slots=True)
class Selection:
    """The part of the log that a replay reads: what types of which days."""

    database: Database
    span: Span
    types: Mapping[date, Counter[str]]

    @property
    def total(self) -> int:
        """How many events there are, before the filter."""
        return sum(counts.total() for counts in self.types.values())

    async def pages(self, reached: Reached) -> AsyncGenerator[list[PastEvent], None]:
        """Yield the events that are not passed yet, some at a time."""
        for day in sorted(self.types):
            if reached.day is None or day >= reached.day:
                place = reached.place if day == reached.day else Place()
                async with aclosing(self._pages_of(day, place)) as pages:
                    async for page in pages:
                        yield page

    async def _pages_of(self, day: date, place: Place) -> AsyncGenerator[list[PastEvent], None]:
        types = list(self.types[day])
        while page := await replays.read_page(self.database, self.span, day, types, place, PAGE):
            yield page
            place = page[-1].place


async def survey(database: Database, criteria: Criteria, examples: int = 5) -> Survey:
    """Return what a replay would publish now. Errors: as for `begin`."""
    condition = compile_filter(criteria.condition)
    selection = await select(database, criteria, await replays.log_horizon(database))
    types: Counter[str] = Counter()
    first: list[Event] = []
    async with aclosing(selection.pages(Reached())) as pages:
        async for page in pages:
            for event in _fitting(page, condition):
                types[event.type] += 1
                first.extend([event] if len(first) < examples else [])
            if condition is None and len(first) == examples:
                return Survey(sum(selection.types.values(), Counter()), first)
    return Survey(types, first)


async def select(database: Database, criteria: Criteria, horizon: str) -> Selection:
    """Return what the criteria select of the log below a horizon.

    Raises:
        DaysArchivedError: Some of the days are not in the log.
    """
    span = Span(criteria.start, criteria.end, horizon)
    if away := await replays.days_in_archive_only(database, span):
        raise DaysArchivedError(f"`saga events restore {' '.join(map(str, away))}`")
    counts = await replays.count_types(database, span, await replays.days_in_log(database, span))
    wanted = {day: _matching(types, criteria.pattern) for day, types in counts.items()}
    return Selection(database, span, {day: types for day, types in wanted.items() if types})


def compile_filter(text: str | None) -> Expression | None:
    """Compile a condition over `event`.

    Raises:
        BadFilterError: It is no CEL, or asks for something else than `event`.
    """
    if text is None:
        return None
    try:
        condition = compile_expression(text)
    except ExpressionErrors as errors:
        raise BadFilterError("; ".join(_pointed(text, each.offset, each.message) for each in errors.findings)) from None
    for reference in condition.references:
        if reference.root != "event":
            raise BadFilterError(_pointed(text, reference.offset, f"{reference.root!r} is not known here"))
    return condition


def fits(event: Event, condition: Expression | None) -> bool:
    """Tell whether the condition holds for an event.

    Raises:
        BadFilterError: It gives something that is neither true nor false.
    """
    if condition is None:
        return True
    try:
        holds = condition.evaluate(_EventAlone(event))
    except ExpressionFailure:
        return False
    if not isinstance(holds, bool):
        raise BadFilterError(f"For event {event.identity} it is neither true nor false.")
    return holds


def _fitting(page: Sequence[PastEvent], condition: Expression | None) -> Iterator[Event]:
    events = (_decoded(past) for past in page)
    return (event for event in events if event is not None and fits(event, condition))


def _decoded(past: PastEvent) -> Event | None:
    try:
        return decode(past.envelope.encode(), Properties())
    except MalformedEventError:
        return None


def _matching(types: Counter[str], pattern: str) -> Counter[str]:
    return Counter({name: count for name, count in types.items() if topic_matches(pattern, name)})


class _EventAlone:
    def __init__(self, event: Event) -> None:
        self._event = event

    def root(self, name: str) -> object:
        return {"event": self._event.as_binding()}[name]

    def step(self, name: str) -> object:
        raise KeyError(name)

    def uuid(self) -> str:
        return self._event.identity


def _pointed(text: str, offset: int, message: str) -> str:
    return f"At character {offset + 1} of `{text}`: {message}"

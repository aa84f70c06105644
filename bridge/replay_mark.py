"""The mark of an event that is published again: the member `replay` of its metadata.

Anybody can write such a member, so it counts only once the id was found on record (`bridge/known_replays.py`); until
then what is read here is a claim. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from contracts.envelope import Event
from contracts.json import Json

MEMBER = "replay"
_HIGHEST_LETTER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class ReplayMark:
    """By what an event is published again.

    Attributes:
        id: The replay, or the retry of dead letters.
        again: Whether what the event did already is to be done once more.
        since: From which day (UTC) on the event log may know the event; None = any.
        letter: Number of the dead letter that is retried.
        retry: The retry, where the letter was an event of a replay that does everything again and goes on as such.
    """

    id: UUID
    again: bool = False
    since: date | None = None
    letter: int | None = None
    retry: UUID | None = None

    def to_json(self) -> dict[str, Json]:
        """Return it as it travels."""
        document: dict[str, Json] = {"id": str(self.id), "again": self.again}
        if self.since is not None:
            document["since"] = self.since.isoformat()
        if self.letter is not None:
            document["letter"] = self.letter
        if self.retry is not None:
            document["retry"] = str(self.retry)
        return document


def mark_of(event: Event) -> ReplayMark | None:
    """Return the mark that an event claims to have; None where there is none that could be ours."""
    member = event.metadata.get(MEMBER)
    identity = _uuid(member.get("id")) if isinstance(member, dict) else None
    if identity is None or not isinstance(member, dict):
        return None
    letter = member.get("letter")
    return ReplayMark(
        identity,
        member.get("again") is True,
        _day(member.get("since")),
        letter if type(letter) is int and 0 < letter <= _HIGHEST_LETTER else None,
        _uuid(member.get("retry")),
    )


def marked(event: Event, mark: ReplayMark | None) -> Event:
    """Return the event with this mark instead of what it has; None = with none."""
    metadata = {name: value for name, value in event.metadata.items() if name != MEMBER}
    return replace(event, metadata=metadata if mark is None else {**metadata, MEMBER: mark.to_json()})


def _uuid(value: Json) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _day(value: Json) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None

"""What a dead letter goes out as."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import pytest

from bridge.replay_mark import ReplayMark, mark_of, marked
from bridge.retry import NotRetriableError, Progress, Retry
from contracts.envelope import Event
from store.database import Database
from store.dead_letters import StoredLetter
from tests.bridge.library import event

CAME, DIED = datetime(2030, 1, 31, 8, tzinfo=UTC), datetime(2030, 2, 2, 0, 30, tzinfo=UTC)
RETRY = Retry(UUID(int=1), cast("Database", None), Progress(), ())


def letter(of: Event, **changes: Any) -> StoredLetter:
    """A letter with this event."""
    body = json.dumps(of.to_json()).encode()
    stored = StoredLetter(
        "l", of.id, of.type, "events", of.type, "trigger-failed", "x", 1, CAME, DIED, {}, {}, None, body, 7, "f", False,
        "open", DIED,
    )  # fmt: skip
    return replace(stored, **changes)


def test_letter_goes_out_as_a_replay_that_says_since_when_the_log_may_know_it() -> None:
    """Clocks may differ by an hour; with an id of its own since it was edited it was never there before it died."""
    assert mark_of(RETRY.prepared(letter(event()))) == ReplayMark(RETRY.id, since=date(2030, 1, 31), letter=7)
    early = RETRY.prepared(letter(event(), first_at=CAME.replace(hour=0, minute=30)))
    edited = RETRY.prepared(letter(event(), event_id="another"))
    assert [mark.since for mark in map(mark_of, (early, edited)) if mark] == [date(2030, 1, 30), date(2030, 2, 1)]


def test_letter_that_was_retried_before_keeps_the_first_day_and_what_repeats_everything_goes_on_as_itself() -> None:
    """A replay with `--again` is left its id, so that it too does only what is left of it."""
    earlier = ReplayMark(UUID(int=2), again=False, since=date(2030, 1, 15), letter=3)
    assert mark_of(RETRY.prepared(letter(marked(event(), earlier)))) == ReplayMark(
        RETRY.id, since=date(2030, 1, 15), letter=7
    )
    everything = replace(earlier, again=True)
    expected = replace(everything, letter=7, retry=RETRY.id)
    assert mark_of(RETRY.prepared(letter(marked(event(), everything)))) == expected


def test_letter_that_cannot_be_retried_says_why() -> None:
    """Its time is over, or it would be taken for another event."""
    with pytest.raises(NotRetriableError, match="Its time is over"):
        RETRY.prepared(letter(replace(event(), expires_at=datetime.now(UTC) - timedelta(days=1))))
    with pytest.raises(NotRetriableError, match="Another event has its id"):
        RETRY.prepared(letter(event(), code="event-conflict"))

"""Marks that meet: of one event several may come at once, from its own delivery and from what was held for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from contracts.envelope import Event
from contracts.json import Json
from store.database import Database
from store.event_log import Arrival, Mark, delay, digest_of, mark, record
from store.event_reader import Logged, find

ONE: dict[str, Json] = {"r-1": {"kind": "signalled"}}
HELD: dict[str, Json] = {"r-1": {"kind": "held"}}
TWO: dict[str, Json] = {"r-2": {"kind": "signalled"}}


@pytest.fixture
async def logged_event(database: Database) -> Database:
    """A log with the event `e`."""
    event = Event("e", "a.b", "1.0", datetime(2030, 1, 31, 8, tzinfo=UTC), "tests", {}, {})
    await record(database, [Arrival(event, "k", 0, digest_of(event))], timedelta(hours=1))
    return database


async def _logged(database: Database) -> Logged:
    (logged,) = await find(database, "e")
    return logged


async def test_marks_of_one_event_in_one_batch_are_merged(logged_event: Database) -> None:
    """The last outcome, and the effects of all."""
    marks = [Mark("e", "held", ONE), Mark("other", "unrouted"), Mark("e", "dispatched", TWO, of_held=True)]
    assert await mark(logged_event, marks) == [True, False, True]
    logged = await _logged(logged_event)
    assert (logged.outcome, logged.effects) == ("dispatched", ONE | TWO)


@pytest.mark.parametrize("outcome", ["dead-lettered", "dispatched", "unrouted"])
async def test_mark_of_a_held_message_leaves_the_outcome_of_another_trigger(
    logged_event: Database, outcome: str
) -> None:
    """That the message was delivered does not make good what failed; its effect is added."""
    await mark(logged_event, [Mark("e", outcome, ONE, "because")])
    await mark(logged_event, [Mark("e", "dispatched", TWO, of_held=True)])
    logged = await _logged(logged_event)
    assert (logged.outcome, logged.reason, logged.effects) == (outcome, "because", ONE | TWO)


async def test_mark_of_a_held_message_ends_the_waiting(logged_event: Database) -> None:
    """Held, then delivered: dispatched."""
    await mark(logged_event, [Mark("e", "held", ONE)])
    await mark(logged_event, [Mark("e", "dispatched", TWO, of_held=True)])
    assert (await _logged(logged_event)).outcome == "dispatched"


async def test_mark_of_a_held_message_that_was_lost_counts(logged_event: Database) -> None:
    """A dead letter is told, whatever else was dispatched."""
    await mark(logged_event, [Mark("e", "dispatched", ONE)])
    await mark(logged_event, [Mark("e", "dead-lettered", reason="over", of_held=True)])
    logged = await _logged(logged_event)
    assert (logged.outcome, logged.reason) == ("dead-lettered", "over")


@pytest.mark.parametrize("at_once", [False, True], ids=["later", "in one batch"])
async def test_late_mark_of_holding_does_not_undo_the_delivery(logged_event: Database, *, at_once: bool) -> None:
    """The run came, and its message with it, before the event's own mark: it is dispatched, not held for ever."""
    delivered, held = Mark("e", "dispatched", ONE, of_held=True), Mark("e", "held", HELD | TWO)
    for batch in ([delivered, held],) if at_once else ([delivered], [held]):
        await mark(logged_event, batch)
    logged = await _logged(logged_event)
    assert (logged.outcome, logged.effects) == ("dispatched", ONE | TWO)


async def test_event_that_is_held_once_more_is_held(logged_event: Database) -> None:
    """A replay that does everything again has requests of its own, which may have to wait."""
    await mark(logged_event, [Mark("e", "dispatched", ONE)])
    await mark(logged_event, [Mark("e", "held", {"r-9": {"kind": "held"}})])
    assert (await _logged(logged_event)).outcome == "held"


async def test_delay_and_mark_say_what_is_not_on_record(database: Database) -> None:
    """A crash of PostgreSQL can take a record away: marking has to notice it."""
    assert not await delay(database, "e", "k", timedelta(seconds=1), ONE)
    assert await mark(database, [Mark("e", "dispatched"), Mark("e", "duplicate")]) == [False, True]

"""The event: what the product reads of the metadata, and what travels."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from contracts.envelope import Event
from contracts.json import Json

MOMENT = datetime(2030, 1, 31, 8, tzinfo=UTC)
EVENT = Event("e-1", "order.placed", "1.0", MOMENT, "shop", {"total": 30})


@pytest.mark.parametrize(("value", "expected"), [("A1", "A1"), ("", None), (7, "7"), (True, None), (None, None)])
def test_group_id_is_a_text_or_a_whole_number(value: Json, expected: str | None) -> None:
    """A whole number counts as its digits; what is neither is no key."""
    assert replace(EVENT, metadata={"group_id": value}).group_id == expected


def test_identity_is_the_id_unless_that_needs_its_source() -> None:
    """A CloudEvent's id is unique only together with its source, and no two pairs have one identity."""
    assert EVENT.identity == "e-1"
    assert replace(EVENT, unique_id=False, source="/till").identity == "/till#e-1"
    pairs = [("a#b", "c"), ("a", "b#c"), ("a%23b", "c"), ("a#b#c", ""), ("", "a#b#c")]
    assert len({replace(EVENT, unique_id=False, source=source, id=each).identity for source, each in pairs}) == 5


def test_identity_fits_an_index_however_long_its_parts_are() -> None:
    """Those that are long stay different."""
    events = [replace(EVENT, unique_id=False, source="s" * 1_000, id=end + "\U0001f600" * 199) for end in "ab"]
    identities = {event.identity for event in events}
    assert len(identities) == 2
    assert all(len(identity) <= 200 for identity in identities)


def test_correlation_id_of_a_cloud_event_is_its_identity() -> None:
    """Two of one id have nothing in common."""
    assert replace(EVENT, unique_id=False).correlation_id == "shop#e-1"


@pytest.mark.parametrize(("value", "expected"), [("c", "c"), ("", "e-1"), (7, "7"), (True, "e-1")])
def test_correlation_id_falls_back_to_the_events_own(value: Json, expected: str) -> None:
    """Every event correlates with itself at least."""
    assert replace(EVENT, metadata={"correlation_id": value}).correlation_id == expected


@pytest.mark.parametrize(
    ("replay", "identity"),
    [({"id": "r", "again": True}, "r"), ({"id": "r"}, "r"), ({"again": True}, None), ({"id": ""}, None), ("r", None)],
)
def test_replay_is_read_from_the_metadata(replay: Json, identity: str | None) -> None:
    """Only a replay with an id is one."""
    assert replace(EVENT, metadata={"replay": replay}).replay_id == identity


def test_expires_at_is_written_only_where_it_is_set() -> None:
    """An event without an end looks as it always did."""
    assert "expires_at" not in EVENT.to_json()
    assert "expires_at" not in EVENT.as_binding()
    zone = timezone(timedelta(hours=2))
    event = replace(EVENT, expires_at=datetime(2030, 1, 31, 12, tzinfo=zone))
    assert event.to_json()["expires_at"] == event.as_binding()["expires_at"] == "2030-01-31T10:00:00Z"


def test_is_expired_from_the_moment_on() -> None:
    """The moment itself is too late; without one it never is."""
    event = replace(EVENT, expires_at=MOMENT)
    assert event.is_expired(MOMENT)
    assert not event.is_expired(MOMENT - timedelta(microseconds=1))
    assert not EVENT.is_expired(MOMENT)


def test_trace_context_is_read_from_the_metadata() -> None:
    """The context travels in the event, so that the log keeps it."""
    event = replace(EVENT, metadata={"traceparent": "00-a", "tracestate": "x=1"})
    assert (event.traceparent, event.tracestate) == ("00-a", "x=1")
    assert (EVENT.traceparent, EVENT.tracestate) == (None, None)

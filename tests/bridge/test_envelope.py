"""Decoding: the seed's envelope, what may be left out, and everything hostile."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.envelope import MAX_BYTES, MAX_DEPTH, Properties, decode
from bridge.errors import MalformedEventError

SEED: dict[str, Any] = {
    "event_id": "550e8400-e29b-41d4-a716-446655440000",
    "event_type": "agent.created",
    "event_version": "1.0",
    "timestamp": "2024-01-15T10:30:00Z",
    "source": "daa-service",
    "data": {"agent_id": "a1b2c3d4", "type": "researcher"},
    "metadata": {"correlation_id": "req_abc123", "causation_id": "evt_xyz789"},
}
NONE = Properties()


def _with(**members: Any) -> bytes:
    return json.dumps(SEED | members).encode()


def _without(name: str) -> bytes:
    return json.dumps({key: value for key, value in SEED.items() if key != name}).encode()


def test_decode_reads_the_envelope() -> None:
    """Every member of the envelope arrives, and goes out again unchanged."""
    event = decode(_with(), NONE)
    assert event.time == datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
    assert event.to_json() == SEED


def test_decode_passes_over_unknown_members() -> None:
    """A producer may add members."""
    assert decode(_with(trace="00-abc"), NONE).to_json() == SEED


def test_decode_takes_the_message_id_for_a_missing_event_id() -> None:
    """Producers that identify the message only are understood."""
    assert decode(_without("event_id"), Properties(message_id="m-1")).id == "m-1"


def test_decode_takes_the_message_timestamp_for_a_missing_timestamp() -> None:
    """Producers that date the message only are understood."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    assert decode(_without("timestamp"), Properties(timestamp=moment)).time == moment


@pytest.mark.parametrize(("metadata", "expected"), [({}, "c-1"), ({"correlation_id": "own"}, "own")])
def test_decode_takes_the_correlation_id_of_the_message_where_the_envelope_has_none(
    metadata: dict[str, str], expected: str
) -> None:
    """The envelope's own correlation id wins."""
    assert decode(_with(metadata=metadata), Properties(correlation_id="c-1")).correlation_id == expected


def test_decode_converts_the_timestamp_to_utc() -> None:
    """A moment in another zone is the same moment."""
    assert decode(_with(timestamp="2024-01-15T12:30:00+02:00"), NONE).time.isoformat() == "2024-01-15T10:30:00+00:00"


def test_decode_reads_until_when_the_event_is_of_use() -> None:
    """`expires_at` arrives in UTC, and goes out again."""
    event = decode(_with(expires_at="2024-01-15T12:30:00+02:00"), NONE)
    assert event.expires_at == datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
    assert event.to_json() == SEED | {"expires_at": "2024-01-15T10:30:00Z"}


@pytest.mark.parametrize(
    ("sent", "hours", "expected"),
    [
        (datetime(2030, 1, 1, tzinfo=UTC), 1, datetime(2030, 1, 1, 1, tzinfo=UTC)),
        (None, 1, None),
        (datetime(2030, 1, 1, tzinfo=UTC), None, None),
        (datetime(9999, 12, 31, 23, tzinfo=UTC), 2, None),
    ],
)
def test_decode_takes_the_expiration_of_the_message_where_the_envelope_has_none(
    sent: datetime | None, hours: int | None, expected: datetime | None
) -> None:
    """A message whose time to live has passed on its way is expired, if it says when it was sent."""
    expiration = None if hours is None else timedelta(hours=hours)
    assert decode(_with(), Properties(timestamp=sent, expiration=expiration)).expires_at == expected


def test_decode_takes_group_and_trace_context_from_the_headers_where_the_metadata_has_none() -> None:
    """Headers are where exchanges and tracers put them; the envelope's own win."""
    headers = {"x-group-id": "g", "traceparent": "00-a", "tracestate": "x=1"}
    assert decode(_with(metadata={"traceparent": "00-own"}), Properties(headers=headers)).metadata == {
        "group_id": "g",
        "traceparent": "00-own",
        "tracestate": "x=1",
    }


@pytest.mark.parametrize(("header", "expected"), [(17, "17"), ("", None), (None, None)])
def test_decode_reads_the_group_header(header: object, expected: str | None) -> None:
    """A number is as good a group as its text; an empty one is none."""
    assert decode(_with(), Properties(headers={"x-group-id": header})).group_id == expected


@pytest.mark.parametrize("header", [b"\xff", [1], "a\x00b", "x" * 1_001, True, 1.0])
def test_decode_refuses_a_group_header_that_cannot_be_read(header: object) -> None:
    """To leave it out would cost the order of the events."""
    with pytest.raises(MalformedEventError, match="x-group-id"):
        decode(_with(), Properties(headers={"x-group-id": header}))


@pytest.mark.parametrize(("said", "expected"), [(42, "42"), (0, "0"), ("A1", "A1"), ("", "h"), (None, "h")])
def test_decode_reads_the_keys_of_the_metadata(said: object, expected: str) -> None:
    """A whole number is as good a key as its text; null and an empty text are none: the message's own count."""
    event = decode(
        _with(metadata={"group_id": said, "correlation_id": said}),
        Properties(correlation_id="h", headers={"x-group-id": "h"}),
    )
    assert (event.group_id, event.correlation_id) == (expected, expected)


def test_decode_needs_no_key_of_the_message_where_the_metadata_has_one() -> None:
    """What is not used may be as odd as it likes."""
    message = Properties(correlation_id="a\x00b", headers={"x-group-id": b"\xff"})
    said = _with(metadata={"group_id": "g", "correlation_id": "c"})
    assert decode(said, message) == decode(said, NONE)


@pytest.mark.parametrize("header", [b"\xff", 7, "a\nb", "x" * 1_025])
def test_decode_passes_over_a_trace_context_that_cannot_be_read(header: object) -> None:
    """A broken trace costs no event."""
    assert "traceparent" not in decode(_with(), Properties(headers={"traceparent": header})).metadata


@pytest.mark.parametrize("name", ["event_version", "source", "metadata", "expires_at", "event_id", "timestamp"])
def test_decode_lets_minor_members_be_left_out(name: str) -> None:
    """Those that have a default, or stand in the message, may be left out, or be null."""
    message = Properties(message_id="m-1", timestamp=datetime(2026, 1, 1, tzinfo=UTC))
    assert decode(_with(**{name: None}), message) == decode(_without(name), message)


def test_decode_keeps_data_that_is_null() -> None:
    """That is what the producer says."""
    assert decode(_with(data=None), NONE).data is None


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2024-01-15t10:30:00z", "2024-01-15T10:30:00+00:00"),
        ("2024-01-15 10:30:00.25z", "2024-01-15T10:30:00.250000+00:00"),
        ("2024-01-15T10:30:00.123456789-00:00", "2024-01-15T10:30:00.123456+00:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00"),
        ("2016-12-31t18:59:60.5-05:00", "2017-01-01T00:00:00.500000+00:00"),
    ],
)
def test_decode_reads_every_moment_of_rfc_3339(written: str, expected: str) -> None:
    """With small letters, any fraction, and leap seconds."""
    assert decode(_with(timestamp=written), NONE).time.isoformat() == expected


NEEDED = [
    ("event_id", {"message_id": "it is odd"}, "`message_id` of the message cannot be read: it is odd."),
    ("timestamp", {"timestamp": "it is odd"}, "`timestamp` of the message cannot be read: it is odd."),
    ("metadata", {"header x-group-id": "it is odd"}, "`header x-group-id` of the message cannot be read: it is odd."),
    ("metadata", {"headers": "it is odd"}, "some of the message's `headers` cannot be read: it is odd."),
    ("event_type", {"headers": "it is odd"}, "cannot all be read: it is odd."),
]


@pytest.mark.parametrize(("left_out", "unreadable", "reason"), NEEDED)
def test_decode_refuses_what_needs_the_unreadable(left_out: str, unreadable: dict[str, str], reason: str) -> None:
    """The reason names what cannot be read, and why."""
    with pytest.raises(MalformedEventError) as caught:
        decode(_without(left_out), Properties(unreadable=unreadable))
    assert reason in caught.value.detail


def test_decode_does_without_what_it_does_not_need() -> None:
    """What the body says needs no property."""
    names = ("message_id", "timestamp", "correlation_id", "headers", "header x-group-id", "content_type", "priority")
    said = _with(metadata={"group_id": "A1"})
    assert decode(said, Properties(unreadable=dict.fromkeys(names, "it is odd"))) == decode(said, NONE)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"{", "not JSON"),
        (b"[1]", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, ""),
        (_with(data=json.loads("[" * MAX_DEPTH + "]" * MAX_DEPTH)), "levels deep"),
        (_with(data="x" * MAX_BYTES), "bytes"),
        (_with(data=float("nan")), "not JSON"),
        (_with(data=0).replace(b'"data": 0', b'"data": 1e999'), "out of range"),
        (_with(data=0).replace(b'"data": 0', b'"data": ' + b"9" * 5_000), "not JSON"),
        (_with(data="\ud800"), "surrogate"),
        (_with(data={"\udfff": 1}), "surrogate"),
        (_without("event_id"), "`event_id`"),
        (_with(event_id=""), "`event_id`"),
        (_with(event_id=7), "`event_id`"),
        (_with(event_id=None), "`event_id`"),
        (_with(event_type=None), "`event_type`"),
        (_with(timestamp=None), "`timestamp`"),
        (_with(event_id="x" * 201), "`event_id`"),
        (_with(event_id="a\nb"), "`event_id`"),
        (_without("event_type"), "`event_type`"),
        (_with(event_type="order..placed"), "`event_type`"),
        (_with(event_type="order.*"), "`event_type`"),
        (_with(event_type="order placed"), "`event_type`"),
        (_with(event_type="x" * 256), "`event_type`"),
        (_without("timestamp"), "`timestamp`"),
        (_with(timestamp="2024-01-15T10:30:00"), "`timestamp`"),
        (_with(timestamp="yesterday"), "`timestamp`"),
        (_with(timestamp=1705314600), "`timestamp`"),
        (_with(timestamp="0001-01-01T00:00:00+14:00"), "out of range"),
        (_with(event_version=1), "`event_version`"),
        (_with(event_version="1\x00"), "`event_version`"),
        (_with(source="a\x00b"), "`source`"),
        (_with(source="x" * 1_001), "`source`"),
        (_with(expires_at="2030-01-01"), "`expires_at`"),
        (_with(metadata={"group_id": "a\x00"}), "`metadata.group_id`"),
        (_with(metadata={"group_id": True}), "`metadata.group_id`"),
        (_with(metadata={"group_id": 4.2}), "`metadata.group_id`"),
        (_with(metadata={"group_id": {}}), "`metadata.group_id`"),
        (_with(metadata={"correlation_id": "x" * 1_001}), "`metadata.correlation_id`"),
        (_with(metadata={"correlation_id": [1]}), "`metadata.correlation_id`"),
        (_without("data"), "`data`"),
        (_with(metadata=[]), "`metadata`"),
    ],
)
def test_decode_refuses_with_the_reason(body: bytes, reason: str) -> None:
    """Whatever is wrong is named."""
    with pytest.raises(MalformedEventError) as caught:
        decode(body, NONE)
    assert reason in caught.value.detail


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=10,
)
MEMBERS = st.fixed_dictionaries({}, optional={name: JSON | st.just(value) for name, value in SEED.items()})


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine draws slowly at first
@given(st.binary() | MEMBERS.map(lambda members: json.dumps(members).encode()))
def test_decode_raises_nothing_but_malformed(body: bytes) -> None:
    """Any bytes are an event or a refusal with a reason; an event can be written and read again."""
    try:
        event = decode(body, NONE)
    except MalformedEventError as error:
        assert error.detail
    else:
        assert decode(json.dumps(event.to_json()).encode(), NONE) == event

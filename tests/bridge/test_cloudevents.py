"""CloudEvents 1.0: what is read, in both modes, and that every form says the same."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.encoding import FORMS, Encoded, Form, encode
from bridge.envelope import Properties, decode
from bridge.errors import EventTooLargeError, MalformedEventError
from contracts.envelope import Event
from tests.bridge.strategies import events

STRUCTURED: dict[str, Any] = {
    "specversion": "1.0",
    "id": "A234-1234-1234",
    "source": "/shop/till-4",
    "type": "com.example.order.placed",
    "time": "2030-01-31T08:00:00Z",
    "data": {"order_id": "A1"},
}
IN_FAMILY = Properties(content_type="application/cloudevents+json; charset=UTF-8")
ATTRIBUTES = {f"cloudEvents:{name}": value for name, value in STRUCTURED.items() if name != "data"}


def _structured(**members: Any) -> Event:
    return decode(json.dumps(STRUCTURED | members).encode(), IN_FAMILY)


def _binary(body: bytes, content_type: str | None = "application/json", **attributes: Any) -> Event:
    headers = ATTRIBUTES | {f"cloudEvents:{name}": value for name, value in attributes.items()}
    return decode(body, Properties(headers=headers, content_type=content_type))


def _decoded(encoded: Encoded) -> Event:
    return decode(encoded.body, Properties(headers=encoded.headers, content_type=encoded.content_type))


def test_decode_reads_a_cloud_event_in_structured_mode() -> None:
    """Its attributes become the members of our envelope."""
    moment = datetime(2030, 1, 31, 8, tzinfo=UTC)
    expected = Event(
        "A234-1234-1234", STRUCTURED["type"], "1.0", moment, "/shop/till-4", {"order_id": "A1"}, unique_id=False
    )
    assert _structured() == expected


def test_decode_knows_a_cloud_event_by_its_specversion_without_a_content_type() -> None:
    """Producers that set no content type are understood."""
    assert decode(json.dumps(STRUCTURED).encode(), Properties()) == _structured()


@pytest.mark.parametrize("prefix", ["cloudEvents:", "cloudEvents_", "cloudevents:"])
def test_decode_reads_a_cloud_event_in_binary_mode(prefix: str) -> None:
    """Attributes in headers and data in the body are the same event."""
    headers = {f"{prefix}{name}": value for name, value in STRUCTURED.items() if name != "data"}
    message = Properties(headers=headers, content_type="application/json")
    assert decode(b'{"order_id": "A1"}', message) == _structured()


def test_decode_gives_every_attribute_its_place() -> None:
    """What our envelope has a member for goes there, the rest into the metadata under its own name."""
    event = _structured(
        subject="A1",
        partitionkey="A1",
        correlationid="c-1",
        causationid="e-0",
        traceparent="00-a",
        tracestate="x=1",
        eventversion="2.1",
        expirytime="2030-01-31T09:00:00+01:00",
        dataschema="https://example.com/order",
        tenant="north",
        attempt=3,
        urgent=True,
        nothing=None,
    )
    assert event.metadata == {
        "subject": "A1",
        "group_id": "A1",
        "correlation_id": "c-1",
        "causation_id": "e-0",
        "traceparent": "00-a",
        "tracestate": "x=1",
        "dataschema": "https://example.com/order",
        "tenant": "north",
        "attempt": 3,
        "urgent": True,
    }
    assert (event.version, event.expires_at) == ("2.1", datetime(2030, 1, 31, 8, tzinfo=UTC))


@pytest.mark.parametrize(("said", "expected"), [(42, "42"), (0, "0"), ("A1", "A1"), ("", None), (None, None)])
def test_decode_reads_the_keys_of_a_cloud_event(said: object, expected: str | None) -> None:
    """In both modes a whole number is as good a key as its text."""
    for event in (
        _structured(partitionkey=said, correlationid=said),
        _binary(b"{}", partitionkey=said, correlationid=said),
    ):
        assert (event.group_id, event.metadata.get("correlation_id")) == (expected, expected)


def test_decode_takes_the_message_timestamp_for_a_missing_time() -> None:
    """`time` is optional in CloudEvents."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    document = {name: value for name, value in STRUCTURED.items() if name != "time"}
    assert decode(json.dumps(document).encode(), Properties(timestamp=moment)).time == moment


def test_decode_takes_the_receipt_for_a_time_that_nobody_says() -> None:
    """CloudEvents need not say when it happened: it was there when it came."""
    came = datetime(2026, 1, 1, tzinfo=UTC)
    document = {name: value for name, value in STRUCTURED.items() if name != "time"}
    assert decode(json.dumps(document).encode(), Properties(received=came)).time == came
    headers = {name: value for name, value in ATTRIBUTES.items() if name != "cloudEvents:time"}
    assert decode(b"{}", Properties(headers=headers, received=came)).time == came


def test_decode_reads_moments_in_milliseconds_in_binary_mode() -> None:
    """So AMQP 1.0 writes them, and the SDK for Python."""
    event = _binary(b"{}", time=1_900_000_000_123, expirytime=-1)
    assert event.time == datetime(2030, 3, 17, 17, 46, 40, 123_000, tzinfo=UTC)
    assert event.expires_at == datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)


@pytest.mark.parametrize("moment", [True, 2**62, 1.5, b"x"])
def test_decode_refuses_what_is_no_moment(moment: object) -> None:
    """In binary mode as in structured mode, where a number is none."""
    with pytest.raises(MalformedEventError, match="`time`"):
        _binary(b"{}", time=moment)


@pytest.mark.parametrize(
    "unreadable",
    ["headers", "header cloudEvents:tenant", "header cloudEvents_time", "message_id", "timestamp", "content_type"],
)
def test_decode_refuses_a_cloud_event_that_needs_the_unreadable(unreadable: str) -> None:
    """Any attribute may be content; an id, a time and the type of the data may stand in the message."""
    headers = {f"cloudEvents:{name}": STRUCTURED[name] for name in ("specversion", "source", "type")}
    found = Properties(message_id="m", headers=headers, content_type="a/b", received=datetime(2030, 1, 1, tzinfo=UTC))
    assert decode(b"", found).id == "m"
    missing = replace(found, unreadable={unreadable: "it is odd"}, message_id=None, content_type=None)
    if unreadable in ("content_type", "timestamp"):
        missing = replace(missing, message_id="m")
    with pytest.raises(MalformedEventError, match=f"{unreadable}.*it is odd"):
        decode(b"{}", missing)


def test_decode_reads_what_amqp_has_types_for() -> None:
    """Moments and bytes in headers become texts."""
    event = _binary(b"1", time=datetime(2030, 1, 1, tzinfo=UTC), seen=datetime(2030, 1, 2, tzinfo=UTC), mark=b"\x00")
    assert event.time == datetime(2030, 1, 1, tzinfo=UTC)
    assert event.metadata == {"seen": "2030-01-02T00:00:00Z", "mark": "AA=="}


def test_decode_reads_an_event_without_data() -> None:
    """`data` is optional in CloudEvents."""
    assert decode(json.dumps(STRUCTURED | {"data": None}).encode(), IN_FAMILY).data is None


@pytest.mark.parametrize(
    ("body", "content_type", "data", "metadata"),
    [
        (b'{"a": 1}', "application/json; charset=utf-8", {"a": 1}, {}),
        (b'{"a": 1}', None, {"a": 1}, {}),
        (b"[1]", "application/vnd.shop+json", [1], {"datacontenttype": "application/vnd.shop+json"}),
        (b"<a/>", "application/xml", "<a/>", {"datacontenttype": "application/xml"}),
        ("ü".encode(), "text/plain", "ü", {"datacontenttype": "text/plain"}),
        (b"\x00\x01", "image/png", "AAE=", {"datacontenttype": "image/png", "dataencoding": "base64"}),
    ],
)
def test_decode_keeps_data_that_is_no_json(
    body: bytes, content_type: str | None, data: object, metadata: dict[str, str]
) -> None:
    """Text stays text, everything else is Base64, and the metadata says what it is."""
    event = _binary(body, content_type)
    assert (event.data, event.metadata) == (data, metadata)


@pytest.mark.parametrize(
    ("declared", "data"),
    [({"datacontenttype": "application/json"}, {"a": 1}), ({}, "eyJhIjogMX0=")],
)
def test_decode_reads_data_in_base64(declared: dict[str, str], data: object) -> None:
    """JSON in Base64 is JSON; what is of no known kind stays as it is."""
    document = {name: value for name, value in STRUCTURED.items() if name != "data"}
    body = json.dumps(document | declared | {"data_base64": "eyJhIjogMX0="}).encode()
    assert decode(body, IN_FAMILY).data == data


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"specversion": "0.3"}, "`specversion`"),
        ({"id": None}, "`id`"),
        ({"id": ""}, "`id`"),
        ({"source": None}, "`source`"),
        ({"source": 7}, "`source`"),
        ({"type": "order.*"}, "`type`"),
        ({"time": "noon"}, "`time`"),
        ({"time": None}, "`time`"),
        ({"time": 1_900_000_000_123}, "`time`"),
        ({"expirytime": "soon"}, "`expirytime`"),
        ({"eventversion": 2}, "`eventversion`"),
        ({"partitionkey": "a\x00b"}, "`partitionkey`"),
        ({"partitionkey": True}, "`partitionkey`"),
        ({"partitionkey": 1.5}, "`partitionkey`"),
        ({"correlationid": ["c"]}, "`correlationid`"),
        ({"sagaenvelope": '{"metadata": {"group_id": {}}}'}, "`metadata.group_id`"),
        ({"tenant": {"a": 1}}, "`tenant`"),
        ({"data_base64": "AAE="}, "exclude each other"),
        ({"data_base64": "!", "data": None}, "Base64"),
        ({"data_base64": 7, "data": None}, "texts"),
        ({"sagaenvelope": "[]"}, "`sagaenvelope`"),
        ({"sagaenvelope": "{"}, "`sagaenvelope`"),
        ({"sagaenvelope": '{"metadata": 1}'}, "`sagaenvelope`"),
        ({"sagaenvelope": '{"a":' * 70 + "1" + "}" * 70}, "levels deep"),
    ],
)
def test_decode_refuses_a_cloud_event_with_the_reason(members: dict[str, Any], reason: str) -> None:
    """Whatever is wrong is named as the producer spelled it."""
    with pytest.raises(MalformedEventError) as caught:
        _structured(**members)
    assert reason in caught.value.detail


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b"[]", "application/cloudevents-batch+json"), (json.dumps([STRUCTURED]).encode(), IN_FAMILY.content_type)],
)
def test_decode_refuses_a_batch(body: bytes, content_type: str) -> None:
    """A message is acknowledged as a whole, so it holds one event."""
    with pytest.raises(MalformedEventError, match="message of its own"):
        decode(body, Properties(content_type=content_type))


@pytest.mark.parametrize(
    ("body", "content_type", "reason"),
    [(b"{", "application/json", "Its data"), (b"\xff", "text/plain", "UTF-8"), (b" " * 300_000, "a/b", "bytes")],
)
def test_decode_refuses_a_body_that_is_not_what_it_says(body: bytes, content_type: str, reason: str) -> None:
    """Data in binary mode is bounded and checked as any other."""
    with pytest.raises(MalformedEventError) as caught:
        _binary(body, content_type)
    assert reason in caught.value.detail


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine draws slowly at first
@given(events, st.sampled_from(FORMS))
def test_decode_reads_what_encode_writes_in_every_form(event: Event, form: Form) -> None:
    """No form loses or changes anything."""
    assert _decoded(encode(event, form)) == event


@settings(deadline=None)
@given(events)
def test_encode_writes_attributes_that_cloud_events_allow(event: Event) -> None:
    """Names and values are those of the specification, whatever an event holds."""
    document = json.loads(encode(event, "cloudevents").body)
    assert document["source"]
    for name, value in document.items():
        assert name in {"data", "data_base64"} or (name.isascii() and name.isalnum() and name == name.lower())
        assert name == "data" or isinstance(value, str | int | bool)


def test_encode_says_that_an_id_is_unique_by_itself() -> None:
    """As a CloudEvent its id needs the source, which it does not for us."""
    event = Event("e", "a.b", "1.0", datetime(2030, 1, 1, tzinfo=UTC), "s", {})
    assert _decoded(encode(event, "cloudevents")).identity == "e"
    foreign = json.loads(encode(replace(event, unique_id=False), "cloudevents").body)
    assert "sagaenvelope" not in foreign


def test_encode_puts_group_and_trace_context_into_the_headers() -> None:
    """Exchanges and tracers need not read the body."""
    metadata = {"group_id": "A1", "traceparent": "00-a", "tracestate": "x=1"}
    event = Event("e", "a.b", "1.0", datetime(2030, 1, 1, tzinfo=UTC), "s", {}, metadata)
    assert encode(event).headers == {"x-group-id": "A1", "traceparent": "00-a", "tracestate": "x=1"}


@pytest.mark.parametrize(("event_data", "metadata"), [("x" * 300_000, {}), (1, {"odd name": "x" * 70_000})])
def test_encode_refuses_what_nobody_would_take(event_data: str, metadata: dict[str, Any]) -> None:
    """Body and headers have limits."""
    event = Event("e", "a.b", "1.0", datetime(2030, 1, 1, tzinfo=UTC), "s", event_data, metadata)
    with pytest.raises(EventTooLargeError, match="are allowed"):
        encode(event, "cloudevents-binary")


HEADERS = st.dictionaries(
    st.sampled_from([*ATTRIBUTES, "cloudEvents:sagaenvelope", "x-group-id", "traceparent", "cloudEvents:x"]),
    st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.lists(st.integers()),
)


@settings(deadline=None)
@given(st.binary() | st.just(b"{}"), HEADERS, st.sampled_from(["application/json", None, "text/plain", "a/b"]))
def test_decode_raises_nothing_but_malformed_for_any_headers(
    body: bytes, headers: dict[str, Any], content_type: str | None
) -> None:
    """Any headers are an event or a refusal with a reason."""
    properties = Properties(headers={**ATTRIBUTES, **headers}, content_type=content_type)
    try:
        event = decode(body, properties)
    except MalformedEventError as error:
        assert error.detail
    else:
        assert _decoded(encode(event, "cloudevents")) == event

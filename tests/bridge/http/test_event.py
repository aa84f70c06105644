"""What a delivery becomes."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from bridge.http.errors import DeliveryUnusableError
from bridge.http.event import event_id, event_of
from bridge.http.headers import Headers
from bridge.http.signatures.scheme import Identity
from bridge.http.sources import read_sources
from contracts.envelope import Event
from contracts.json import Json
from tests.bridge.http.webhook_secrets import NOW

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def event(body: Json, headers: Mapping[str, str] | None = None, **keys: str) -> Event:
    """Return the event of a delivery to a source with these keys."""
    lines = "".join(f"\n    {name}: {value}" for name, value in {"type": "shop.sent", **keys}.items())
    text = f"sources:\n  shop:\n    scheme: saga\n    secrets: [env:A]{lines}"
    source = read_sources("w", text).by_name["shop"]
    return event_of(source, Identity("d-1", b""), Headers.of(headers or {}), body, NOW)


def test_event_has_a_stable_id_and_says_where_it_is_from() -> None:
    """The same source and delivery make the same id, in every process and release."""
    made = event({"a": 1})
    assert made.id == event_id("shop", "d-1") == "3bbe2a4d-3837-557a-9583-72e3410513ea"
    assert made.id not in (event_id("shop", "d-2"), event_id("shop2", "d-1"))
    assert (made.type, made.version, made.source, made.time) == ("shop.sent", "1.0", "webhook/shop", NOW)
    assert made.data == {"a": 1}
    assert made.metadata["webhook"] == {"source": "shop", "delivery_id": "d-1"}
    assert made.group_id is None


def test_event_takes_type_key_and_data_from_the_delivery() -> None:
    """Expressions see headers by their names in small letters, and the body."""
    body: Json = {"order": 7, "items": [1]}
    made = event(
        body,
        {"X-Kind": "paid"},
        type='shop.${ headers["x-kind"] }',
        key="${ body.order }",
        data="{n: '${ body.items }'}",
    )
    assert (made.type, made.group_id, made.data) == ("shop.paid", "7", {"n": [1]})


def test_event_is_measured_as_it_travels() -> None:
    """Text in any script counts by its bytes in UTF-8, not by what escapes would take."""
    assert event("ж" * 100_000).data == "ж" * 100_000


def test_event_keeps_the_trace() -> None:
    """A trace context that is one goes on, another is left out."""
    made = event({}, {"traceparent": TRACE, "tracestate": "a=b"})
    assert (made.traceparent, made.tracestate) == (TRACE, "a=b")
    for wrong in ("", "00-x", TRACE + "0", TRACE.upper()):
        assert event({}, {"traceparent": wrong, "tracestate": "a=b"}).metadata.keys() == {"webhook"}


def test_event_never_holds_credentials() -> None:
    """Headers that carry passwords are not visible to expressions."""
    made = event({}, {"Authorization": "Bearer x", "Cookie": "y", "x-a": "1"}, data="${ headers }")
    assert made.data == {"x-a": "1"}


@pytest.mark.parametrize(
    ("body", "keys", "says"),
    [
        ({}, {"type": "a.${ body.kind }"}, "`type` has no value"),
        ([], {"type": "a.${ body.kind }"}, "`type` has no value"),
        ({"kind": "#"}, {"type": "a.${ body.kind }"}, "event_type"),
        ({"kind": ""}, {"type": "a.${ body.kind }"}, "event_type"),
        ({"kind": "x" * 300}, {"type": "a.${ body.kind }"}, "event_type"),
        ({}, {"key": "${ body.k }"}, "`key` has no value"),
        ({"k": ""}, {"key": "${ body.k }"}, "`key` must give"),
        ({}, {"key": "${ body.k }"}, r"orValue\(null\)"),
        ({"k": False}, {"key": "${ body.k }"}, "`key` must give"),
        ({"k": 1.5}, {"key": "${ body.k }"}, "`key` must give"),
        ({"k": "x" * 201}, {"key": "${ body.k }"}, "`key` must give"),
        ({}, {"data": "${ body.x }"}, "`data` has no value"),
        ({"x": "\ud800"}, {}, "UTF-8"),
        ("x" * 300_000, {}, "bytes"),
    ],
)
def test_event_refuses_a_delivery_that_fits_none(body: Json, keys: dict[str, str], says: str) -> None:
    """It says which expression of the source has no value, or what the bus would not accept."""
    with pytest.raises(DeliveryUnusableError, match=says):
        event(body, None, **keys)

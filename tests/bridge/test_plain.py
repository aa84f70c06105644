"""Plain payloads: what a producer sends that knows nothing of envelopes, where the operator says so."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aio_pika
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.amqp.letters import event_of
from bridge.envelope import Properties, decode
from bridge.errors import MalformedEventError
from bridge.outcomes import Dispatched, Duplicate, Refused
from bridge.plain import Published, event_in
from bridge.topology.file import load_topology
from bridge.topology.layout import direct_headers
from bridge.topology.model import PlainRule
from contracts.envelope import Event
from store.event_reader import Filter, latest
from tests.bridge.environment import BridgeEnvironment
from tests.bridge.library import event
from tests.support.bus import TOPOLOGY, Bus

NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
HERE = Published("shop.orders", "quick.go")
RULES = (PlainRule("quick.*", "shop.orders"),)
BY_CONTENT = (PlainRule("#", id="content"),)
FILE = """
partitions: 2
exchanges:
  shop.orders: {type: topic}
bindings:
  - {from: shop.orders, to: events, key: "#"}
plain:
  - {key: "quick.*", exchange: shop.orders}
  - {key: "patient.*", exchange: shop.orders, id: content}
"""


def read(body: object, rules: tuple[PlainRule, ...] = RULES, published: Published = HERE, **properties: Any) -> Event:
    """Read a message with a body in JSON."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    given: dict[str, Any] = {"message_id": "m-1", "received": NOW} | properties
    return event_in(text, Properties(**given), published, rules)


@pytest.mark.parametrize("data", [{"id": 1}, [1], "text", 5, None, {"event_type": "a.b"}, {"data": 1}, {"id": "é"}])
def test_plain_payload_is_the_data_of_an_event(data: object) -> None:
    """Type, id, time, group and source come from AMQP; any JSON is data, also one that has a member of an envelope."""
    sent = NOW - timedelta(hours=1)
    found = read(data, timestamp=sent, correlation_id="c", headers={"x-group-id": "g", "traceparent": "t"})
    assert (found.id, found.type, found.time, found.source) == ("m-1", "quick.go", sent, "shop.orders")
    assert (found.data, found.group_id, found.version) == (data, "g", "1.0")
    assert found.metadata == {"correlation_id": "c", "group_id": "g", "traceparent": "t"}


@pytest.mark.parametrize("content_type", [None, "application/json", "text/plain", "application/octet-stream", "x"])
def test_plain_payload_is_json_whatever_its_type_says(content_type: str | None) -> None:
    """Client libraries name a type without being asked."""
    assert read({"a": 1}, content_type=content_type).data == {"a": 1}


def test_plain_payload_without_a_time_has_that_of_its_arrival() -> None:
    """The time of sending is the producer's to give."""
    assert read({}).time == NOW


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        (PlainRule("#"), True),
        (PlainRule("quick.go"), True),
        (PlainRule("quick.*", "shop.orders"), True),
        (PlainRule("#", "events"), False),
        (PlainRule("*"), False),
        (PlainRule("slow.#"), False),
    ],
)
def test_rule_fits_by_exchange_and_routing_key(rule: PlainRule, fits: bool) -> None:
    """As a binding would; where it does not fit, the reason names the setting."""
    if fits:
        assert read({}, (rule,)).type == "quick.go"
    else:
        with pytest.raises(MalformedEventError, match=r"`plain` in topology\.yaml"):
            read({}, (rule,))


ENVELOPE = json.dumps(event("order.placed", {"id": 1}).to_json()).encode()
STRUCTURED = b'{"specversion": "1.0", "id": "1", "source": "s", "type": "a.b", "time": "2026-01-15T10:30:00Z"}'
BINARY = {"cloudEvents:specversion": "1.0", "cloudEvents:id": "1", "cloudEvents:source": "s", "cloudEvents:type": "a.b"}


@pytest.mark.parametrize(
    ("body", "properties"),
    [
        (ENVELOPE, {}),
        (STRUCTURED, {}),
        (STRUCTURED, {"content_type": "application/cloudevents+json"}),
        (b"{}", {"headers": BINARY, "timestamp": NOW}),
        (b'{"event_type": "a b", "data": 1}', {}),
        (b'{"specversion": "2.0"}', {}),
        (b"[]", {"content_type": "application/cloudevents-batch+json"}),
        (b"\xff", {"content_type": "application/cloudevents+json"}),
        (b"\xff", {"headers": BINARY}),
    ],
)
def test_envelope_is_read_as_one_all_the_same(body: bytes, properties: dict[str, Any]) -> None:
    """A rule changes nothing for what is an envelope, nor for one that has a mistake: it hides behind no rule."""

    def outcome(rules: tuple[PlainRule, ...]) -> object:
        try:
            return event_in(body, Properties(**properties), HERE, rules)
        except MalformedEventError as error:
            return str(error)

    assert outcome(BY_CONTENT) == outcome(())
    assert "topology.yaml" not in str(outcome(()))


@pytest.mark.parametrize(
    ("body", "published", "says"),
    [
        (b"", HERE, "JSON"),
        (b"no json", HERE, "JSON"),
        (b"\xff", HERE, "JSON"),
        (b"NaN", HERE, "JSON"),
        (b"[" * 5000, HERE, "JSON"),
        (b'"%s"' % (b"x" * 300_000), HERE, "bytes"),
        (b"{}", replace(HERE, routing_key=""), "routing key"),
        (b"{}", replace(HERE, routing_key="a b"), "routing key"),
        (b"{}", replace(HERE, routing_key="a..b"), "routing key"),
    ],
)
def test_plain_payload_that_makes_no_event_is_refused(body: bytes, published: Published, says: str) -> None:
    """The reason names what is wrong, and no setting that is there already."""
    with pytest.raises(MalformedEventError, match=says) as refused:
        read(body, (PlainRule("#"),), published)
    assert "topology.yaml" not in str(refused.value)


def test_plain_payload_without_a_message_id_is_refused() -> None:
    """Whether it came before could not be told; the reason names both cures."""
    with pytest.raises(MalformedEventError, match="message id") as refused:
        read({}, message_id=None)
    assert "`id: content`" in str(refused.value)


def test_id_of_the_content_is_the_same_in_each_delivery() -> None:
    """It depends on nothing that copies of ours have: when it was in hand, a message id, a group."""
    first = read({"a": 1}, BY_CONTENT, message_id=None)
    later = read({"a": 1}, BY_CONTENT, received=NOW + timedelta(days=1), message_id="m-2")
    assert first.id == later.id == read({"a": 1}, BY_CONTENT, headers={"x-group-id": "g"}).id


@given(st.binary(max_size=60), st.text(max_size=20), st.sampled_from([(), RULES, BY_CONTENT]))
def test_nothing_but_a_malformed_event_comes_of_noise(body: bytes, key: str, rules: tuple[PlainRule, ...]) -> None:
    """Any bytes under any routing key become an event or are refused, and what is read can be read again."""
    published = replace(HERE, routing_key=key)
    try:
        found = event_in(body, Properties(received=NOW), published, rules)
    except MalformedEventError:
        return
    assert decode(json.dumps(found.to_json()).encode(), Properties()).to_json() == found.to_json()


def test_id_of_the_content_tells_messages_apart() -> None:
    """By body, key, exchange and the time that the producer gives."""
    others = [
        read({"a": 1}, BY_CONTENT, message_id=None),
        read({"a": 2}, BY_CONTENT, message_id=None),
        read({"a": 1}, BY_CONTENT, replace(HERE, routing_key="quick.stop"), message_id=None),
        read({"a": 1}, BY_CONTENT, replace(HERE, exchange="events"), message_id=None),
        read({"a": 1}, BY_CONTENT, message_id=None, timestamp=NOW),
        read({"a": 1}, BY_CONTENT, message_id=None, timestamp=NOW + timedelta(seconds=1)),
    ]
    assert len({other.id for other in others}) == len(others)


async def send(bus: Bus, key: str, body: bytes, exchange: str = "shop.orders", **properties: Any) -> None:
    """Publish as a producer that knows nothing of us."""
    to = await bus.channel.get_exchange(exchange, ensure=False)
    message = aio_pika.Message(body, **properties)
    message.message_id = properties.get("message_id", _Missing())
    await to.publish(message, key)


class _Missing(str):
    """A message id that comes through as none: our client library puts one of its own where it finds none."""

    def __bool__(self) -> bool:
        return True


DIRECT = direct_headers("g", "low", TOPOLOGY)


@pytest.mark.parametrize("headers", [{}, DIRECT, {"x-group-id": "g"}], ids=["sorted", "direct", "group"])
async def test_plain_payload_starts_one_run(env: BridgeEnvironment, bus: Bus, headers: dict[str, str]) -> None:
    """From an exchange of the operator's through the bus to a run with its data; the same again is a duplicate."""
    key, topology = env.key(), load_topology(FILE, "topology.yaml")
    async with env.bridge(topology=topology):
        for _ in range(2):
            await send(bus, "quick.go", json.dumps({"id": key}).encode(), message_id=key, headers=headers)
        await env.outcomes.until(2)
        assert await env.finished(f"quick/{key}") == 1
    assert [type(outcome.result) for outcome in env.outcomes] == [Dispatched, Duplicate]
    [row] = [row for row in await latest(env.database, 100, Filter()) if row.event_id == key]
    assert (row.event_type, row.source) == ("quick.go", "shop.orders")
    assert row.group_key == headers.get("x-group-id", f"quick/{key}")


@pytest.mark.parametrize("headers", [{}, DIRECT], ids=["sorted", "direct"])
async def test_messages_of_one_content_are_one_where_the_rule_says_so(
    env: BridgeEnvironment, bus: Bus, headers: dict[str, str]
) -> None:
    """Elsewhere one without an id is refused, with the reason."""
    key, topology = env.key(), load_topology(FILE, "topology.yaml")
    body = json.dumps({"id": key}).encode()
    async with env.bridge(topology=topology):
        for routing_key in ("patient.begin", "patient.begin", "quick.go", "patient.end"):
            await send(bus, routing_key, body, headers=headers)
        await env.outcomes.until(4)
        letter = await env.letter()
    assert (letter.code, letter.exchange, letter.routing_key) == ("malformed-event", "shop.orders", "quick.go")
    assert "message id" in letter.reason
    kinds = [type(outcome.result) for outcome in env.outcomes if outcome.event_id]
    assert sorted(kind.__name__ for kind in kinds) == ["Dispatched", "Dispatched", "Duplicate"]


async def test_plain_payload_is_refused_unless_asked_for(env: BridgeEnvironment, bus: Bus) -> None:
    """By routing key and exchange: straight on `events` it is none of the rule's. The dead letter names the setting."""
    key, topology = env.key(), load_topology(FILE, "topology.yaml")
    body = json.dumps({"id": key}).encode()
    async with env.bridge(topology=topology):
        await send(bus, "quick.go", body, "events", message_id=key)
        await env.outcomes.until(1)
        letter = await env.letter()
    assert letter.code == "malformed-event"
    assert "`plain` in topology.yaml" in letter.reason
    # A rule that was added meanwhile makes an event of it, which `saga dlq retry` publishes.
    assert event_of(letter, plain=BY_CONTENT).data == {"id": key}


async def test_dead_letter_of_a_plain_payload_is_known_by_its_event(env: BridgeEnvironment, bus: Bus) -> None:
    """One that fails later has its id and type on record, and can be made an event again."""
    key, topology = env.key(), load_topology(FILE, "topology.yaml")
    body = json.dumps({"id": key, "say": "?"}).encode()
    async with env.bridge(topology=topology):
        await send(bus, "patient.note", body, message_id=key)
        await env.outcomes.until(1)
        letter = await env.letter()
    [outcome] = env.outcomes
    assert isinstance(outcome.result, Refused) and outcome.event_id is not None
    assert (letter.code, letter.event_id, letter.event_type) == ("run-not-found", outcome.event_id, "patient.note")
    again = event_of(letter, plain=topology.plain)
    assert (again.id, again.type, again.data) == (outcome.event_id, "patient.note", {"id": key, "say": "?"})

"""Messages whose AMQP properties cannot be read do not cut the connection."""

from __future__ import annotations

import json
import struct
from datetime import UTC, datetime
from typing import Any, cast

import pamqp.encode
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp.commands import Basic
from pamqp.exceptions import UnmarshalingException
from pamqp.frame import unmarshal

from bridge.amqp.tolerance import UNREADABLE, tolerate_unreadable_frames
from bridge.topology.layout import direct_headers
from tests.bridge.amqp.raw_values import Raw, write_raw_values
from tests.bridge.environment import BridgeEnvironment
from tests.bridge.library import event
from tests.support.bus import TOPOLOGY, Bus

METHOD, HEADER, CLASS_BASIC, END = 1, 2, 60, b"\xce"
MICROSECONDS = struct.pack(">Q", 1_900_000_000_000_000)


def _frame(flags: int, properties: bytes) -> bytes:
    payload = struct.pack(">HHQH", CLASS_BASIC, 0, 0, flags) + properties
    return struct.pack(">BHI", HEADER, 1, len(payload)) + payload + END


@given(st.integers(0, 0x7FFF).map(lambda flags: flags * 2), st.binary(max_size=60))
def test_tolerance_reads_any_properties(flags: int, properties: bytes) -> None:
    """Whatever stands in the properties, the frame is read."""
    tolerate_unreadable_frames()
    _, _, header = unmarshal(_frame(flags, properties))
    assert header.name == "ContentHeader"


def _read(flags: int, properties: bytes) -> Basic.Properties:
    tolerate_unreadable_frames()
    _, _, header = unmarshal(_frame(flags, properties))
    return cast("Basic.Properties", header.properties)  # type: ignore[union-attr]  # a header frame went in


def _unreadable(properties: Basic.Properties) -> dict[str, str]:
    return cast("dict[str, str]", (properties.headers or {}).get(UNREADABLE, {}))


GOOD: dict[str, tuple[bytes, Any]] = {
    "content_type": (b"\x01c", "c"),
    "delivery_mode": (b"\x02", 2),
    "priority": (b"\x07", 7),
    "correlation_id": (b"\x01r", "r"),
    "expiration": (b"\x0210", "10"),
    "message_id": (b"\x01m", "m"),
    "timestamp": (struct.pack(">Q", 0), datetime(1970, 1, 1, tzinfo=UTC)),
    "message_type": (b"\x01t", "t"),
    "app_id": (b"\x01p", "p"),
}
BAD = {
    "content_type": b"\x01\xff",
    "delivery_mode": b"\x09",
    "correlation_id": b"\x02\xc3\x28",
    "expiration": b"\x01x",
    "message_id": b"\x01\xff",
    "timestamp": b"\xff" * 8,
    "message_type": b"\x01\xff",
    "app_id": b"\x01\xff",
}


@given(st.dictionaries(st.sampled_from(list(GOOD)), st.booleans()))
def test_tolerance_reads_properties_one_by_one(readable: dict[str, bool]) -> None:
    """Only what is unreadable is missing, and one header says which, why and what it was."""
    names = [name for name in Basic.Properties.__slots__ if name in readable]
    bad = {name for name in names if not readable[name] and name in BAD}
    data = b"".join(BAD[name] if name in bad else GOOD[name][0] for name in names)
    properties = _read(sum(Basic.Properties.flags[name] for name in names), data)
    for name in names:
        assert getattr(properties, name) == (None if name in bad else GOOD[name][1])
    told = _unreadable(properties)
    assert set(told) == {"type" if name == "message_type" else name for name in bad}
    assert all(BAD[name].hex() in told["type" if name == "message_type" else name] for name in bad)


VALUES = {b"t\x01": True, b"S\x00\x00\x00\x01a": "a", b"V": None, b"A\x00\x00\x00\x02t\x00": [False]}
BAD_VALUES = [
    b"T" + b"\xff" * 8,
    b"F\x00\x00\x00\x04\x01\xfft\x01",
    b"A\x00\x00\x00\x02?\x00",
    b"".join(b"A" + struct.pack(">I", 5 * left) for left in range(39, -1, -1)),
]


@given(st.lists(st.sampled_from([*VALUES, *BAD_VALUES]), max_size=15), st.booleans())
def test_tolerance_reads_headers_entry_by_entry(values: list[bytes], is_cut: bool) -> None:
    """Only what is unreadable is missing, as far as lengths can be followed; what is lost behind that is told too."""
    entries = b"".join(_short(f"h{number}".encode()) + value for number, value in enumerate(values))
    table = entries + (b"\x05later?" if is_cut else b"")
    flags = Basic.Properties.flags["headers"] | Basic.Properties.flags["message_id"]
    properties = _read(flags, struct.pack(">I", len(table)) + table + b"\x01m")
    headers, told = dict(properties.headers or {}), _unreadable(properties)
    headers.pop(UNREADABLE, None)
    assert properties.message_id == "m"
    assert headers == {f"h{number}": VALUES[value] for number, value in enumerate(values) if value in VALUES}
    lost = {f"header h{number}" for number, value in enumerate(values) if value in BAD_VALUES}
    assert set(told) == lost | ({"headers"} if is_cut else set())


@given(st.integers(0, 40))
def test_tolerance_counts_what_stands_behind_a_cut_as_unreadable(length: int) -> None:
    """What was read before it stays."""
    names = [name for name in Basic.Properties.__slots__ if name in GOOD]
    data = b"".join(GOOD[name][0] for name in names)
    properties = _read(sum(Basic.Properties.flags[name] for name in names), data[:length])
    found = [name for name in names if getattr(properties, name) is not None]
    assert found == names[: len(found)]
    assert len(_unreadable(properties)) in (0, len(names) - len(found))


def test_tolerance_bounds_what_it_tells() -> None:
    """However much cannot be read, what is told of it fits into a copy of the message."""
    entries = b"".join(_short(b"%200d" % number) + b"T" + b"\xff" * 8 for number in range(200))
    entries += b"".join(_short(b"%3d" % number) + b"T" + b"\xff" * 8 for number in range(200))
    told = _unreadable(_read(Basic.Properties.flags["headers"], struct.pack(">I", len(entries)) + entries))
    assert "headers" in told
    assert len(str(told)) < 20_000


def test_tolerance_does_not_hide_a_broken_frame() -> None:
    """A frame that is cut short is still an error."""
    with pytest.raises(UnmarshalingException):
        unmarshal(struct.pack(">BHI", HEADER, 1, 12) + struct.pack(">HHQ", CLASS_BASIC, 0, 0) + END)


@given(st.binary(max_size=255), st.binary(max_size=255))
def test_tolerance_reads_any_routing_key(exchange: bytes, key: bytes) -> None:
    """Of a delivery and of what is returned, and with what stands behind it."""
    tolerate_unreadable_frames()
    for name, before in ((Basic.Deliver, b"\x01t" + b"\x00" * 8 + b"\x01"), (Basic.Return, b"\x01\x38\x02\xff\xfe")):
        payload = struct.pack(">I", name.index) + before + _short(exchange) + _short(key)
        _, _, frame = unmarshal(struct.pack(">BHI", METHOD, 1, len(payload)) + payload + END)
        assert (frame.exchange, frame.routing_key) == (  # type: ignore[union-attr]  # a method frame went in
            exchange.decode(errors="replace"),
            key.decode(errors="replace"),
        )


def _short(text: bytes) -> bytes:
    return bytes([len(text)]) + text


@pytest.mark.parametrize("headers", [{}, direct_headers("g", "low", TOPOLOGY)], ids=["sorted", "direct"])
async def test_bridge_goes_on_after_a_routing_key_that_is_no_text(
    env: BridgeEnvironment, bus: Bus, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    """As C and PHP clients send it: the event is served, a malformed one is put aside, neighbours are untouched."""
    strange, good = env.key(), env.key()
    bodies = {key: json.dumps(event("quick.go", {"id": key}, key).to_json()).encode() for key in (strange, good)}
    key = "agent.created.M\xfcller"
    async with env.bridge():
        monkeypatch.setitem(pamqp.encode.METHODS, "shortstr", lambda text: _short(text.encode("latin-1")))
        await bus.publish_bytes(b"?", key, headers=headers)
        await bus.publish_bytes(bodies[strange], key, headers=headers)
        monkeypatch.undo()
        await bus.publish_bytes(bodies[good], "quick.go", headers=headers)
        await env.outcomes.until(3)
        assert [await env.finished(f"quick/{each}") for each in (strange, good)] == [1, 1]
        assert (await env.letter()).routing_key == "agent.created.M\N{REPLACEMENT CHARACTER}ller"


async def test_unreadable_property_costs_the_event_no_other(
    env: BridgeEnvironment, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stamped in microseconds: key, priority and correlation id stay, whether the event is sorted or not."""
    keys = [env.key(), env.key()]
    async with env.bridge():
        monkeypatch.setitem(pamqp.encode.METHODS, "timestamp", lambda _: MICROSECONDS)
        for key, headers in zip(keys, [{"x-group-id": "A1"}, direct_headers("A1", "high", TOPOLOGY)], strict=True):
            said = event("quick.go", {"id": key}, key)
            await bus.publish(said, headers=headers, priority=8, correlation_id="c-1", timestamp=0)
        monkeypatch.undo()
        await env.outcomes.until(2)
        assert [await env.finished(f"quick/{key}") for key in keys] == [1, 1]
    rows = await env.database.fetch("select group_key, priority, correlation_id, envelope from saga.events")
    assert [(row["group_key"], row["priority"], row["correlation_id"]) for row in rows] == [("A1", 8, "c-1")] * 2
    assert all(json.loads(row["envelope"])["metadata"]["group_id"] == "A1" for row in rows)


@pytest.mark.parametrize("headers", [{}, direct_headers("g", "low", TOPOLOGY)], ids=["sorted", "direct"])
async def test_event_that_needs_what_cannot_be_read_is_refused_by_name(
    env: BridgeEnvironment, bus: Bus, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    """Its time stands nowhere else; the dead letter has the bytes, and all that can be read."""
    said = event("quick.go", {"id": env.key()}, "e").to_json()
    body = json.dumps({name: value for name, value in said.items() if name != "timestamp"}).encode()
    async with env.bridge():
        monkeypatch.setitem(pamqp.encode.METHODS, "timestamp", lambda _: MICROSECONDS)
        await bus.publish_bytes(body, "quick.go", headers=headers | {"tenant": "north"}, message_id="e", timestamp=0)
        monkeypatch.undo()
        letter = await env.letter()
    assert letter.code == "malformed-event"
    assert "`timestamp` of the message cannot be read" in letter.reason
    assert MICROSECONDS.hex() in str(letter.headers[UNREADABLE])
    assert (letter.event_id, letter.headers["tenant"]) == ("e", "north")


async def test_event_whose_key_cannot_be_read_is_refused_by_name(
    env: BridgeEnvironment, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it the order would be lost; where the body has the key, the event is served."""
    refused, served = env.key(), env.key()
    write_raw_values(monkeypatch)
    headers = {"x-group-id": Raw(b"T" + MICROSECONDS)}
    async with env.bridge():
        await bus.publish(event("quick.go", {"id": refused}, refused), headers=headers)
        await bus.publish(event("quick.go", {"id": served}, served, {"group_id": "A1"}), headers=headers)
        await env.outcomes.until(2)
        assert await env.finished(f"quick/{served}") == 1
        letter = await env.letter()
    assert letter.event_id == refused
    assert "`header x-group-id` of the message cannot be read" in letter.reason


async def test_bridge_goes_on_after_an_event_with_an_unreadable_timestamp(
    env: BridgeEnvironment, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event is served by its body; a malformed one is put aside, and the reason is kept."""
    key, far = env.key(), struct.pack(">Q", 2**64 - 1)
    body = json.dumps(event("quick.go", {"id": key}, key).to_json()).encode()
    async with env.bridge():
        monkeypatch.setitem(pamqp.encode.METHODS, "timestamp", lambda _: far)
        await bus.publish_bytes(b"?", "a", timestamp=0)
        await bus.publish_bytes(body, "quick.go", timestamp=0)
        monkeypatch.undo()
        await env.outcomes.until(2)
        assert await env.finished(f"quick/{key}") == 1
        assert UNREADABLE in (await env.letter()).headers

"""Messages whose AMQP properties cannot be read do not cut the connection."""

from __future__ import annotations

import json
import struct

import pamqp.encode
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp.commands import Basic
from pamqp.exceptions import UnmarshalingException
from pamqp.frame import unmarshal

from bridge.amqp.tolerance import UNREADABLE, tolerate_unreadable_frames
from bridge.topology.layout import direct_headers
from tests.bridge.environment import BridgeEnvironment
from tests.bridge.library import event
from tests.support.bus import TOPOLOGY, Bus

METHOD, HEADER, CLASS_BASIC, END = 1, 2, 60, b"\xce"


def _frame(flags: int, properties: bytes) -> bytes:
    payload = struct.pack(">HHQH", CLASS_BASIC, 0, 0, flags) + properties
    return struct.pack(">BHI", HEADER, 1, len(payload)) + payload + END


@given(st.integers(0, 0x7FFF).map(lambda flags: flags * 2), st.binary(max_size=60))
def test_tolerance_reads_any_properties(flags: int, properties: bytes) -> None:
    """Whatever stands in the properties, the frame is read."""
    tolerate_unreadable_frames()
    _, _, header = unmarshal(_frame(flags, properties))
    assert header.name == "ContentHeader"


def test_tolerance_says_why_and_leaves_nothing_half_read() -> None:
    """One header tells the reason; what was read before the failure is dropped."""
    tolerate_unreadable_frames()
    flags = Basic.Properties.flags["message_id"] | Basic.Properties.flags["timestamp"]
    _, _, header = unmarshal(_frame(flags, b"\x01m" + b"\xff" * 8))
    properties = header.properties  # type: ignore[union-attr]  # a header frame went in
    assert properties.message_id is None
    assert "out of range" in str(properties.headers)
    assert list(properties.headers or {}) == [UNREADABLE]


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

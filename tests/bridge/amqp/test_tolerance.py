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

from bridge.amqp.tolerance import UNREADABLE, tolerate_unreadable_properties
from tests.bridge.environment import BridgeEnvironment
from tests.bridge.library import event
from tests.support.bus import Bus

HEADER, CLASS_BASIC, END = 2, 60, b"\xce"


def _frame(flags: int, properties: bytes) -> bytes:
    payload = struct.pack(">HHQH", CLASS_BASIC, 0, 0, flags) + properties
    return struct.pack(">BHI", HEADER, 1, len(payload)) + payload + END


@given(st.integers(0, 0x7FFF).map(lambda flags: flags * 2), st.binary(max_size=60))
def test_tolerance_reads_any_properties(flags: int, properties: bytes) -> None:
    """Whatever stands in the properties, the frame is read."""
    tolerate_unreadable_properties()
    _, _, header = unmarshal(_frame(flags, properties))
    assert header.name == "ContentHeader"


def test_tolerance_says_why_and_leaves_nothing_half_read() -> None:
    """One header tells the reason; what was read before the failure is dropped."""
    tolerate_unreadable_properties()
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

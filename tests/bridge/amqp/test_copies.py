"""Copies of messages keep every header that can be kept, and name the others."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from bridge.amqp.delivery import DROPPED
from tests.bridge.amqp.raw_values import Raw, text, write_raw_values
from tests.bridge.environment import BridgeEnvironment
from tests.bridge.library import event
from tests.support.bus import Bus

UNWRITABLE: dict[str, Any] = {
    "double": Raw(b"d" + struct.pack(">d", 1e300)),
    "double in a table": {"deep": [Raw(b"d" + struct.pack(">d", 1e300))]},
    "too large": "x" * 70_000,
}


@pytest.mark.parametrize("kind", UNWRITABLE)
async def test_header_that_cannot_be_written_costs_no_other(
    env: BridgeEnvironment, bus: Bus, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """It is named; the key, the trace and all else that the producer sent stay."""
    key = env.key()
    write_raw_values(monkeypatch)
    headers = {"strange": UNWRITABLE[kind], "x-group-id": "A1", "tenant": "north", "n": 7}
    async with env.bridge():
        await bus.publish(event("patient.note", {"id": key, "say": "?"}, key), headers=headers)
        letter = await env.letter()
    (row,) = await env.database.fetch("select group_key from saga.events")
    assert row["group_key"] == "A1"
    assert letter.headers[DROPPED] == ["strange"]
    assert "strange" not in letter.headers
    assert (letter.headers["tenant"], letter.headers["n"]) == ("north", 7)


async def test_bytes_in_headers_are_kept(env: BridgeEnvironment, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that is not UTF-8, also within a table, comes through as the bytes that it is."""
    write_raw_values(monkeypatch)
    latin = text("M\N{LATIN SMALL LETTER U WITH DIAERESIS}ller".encode("latin-1"))
    headers = {"name": latin, "list": [{"deep": latin}], "tenant": "north"}
    async with env.bridge():
        await bus.publish(event("patient.note", {"id": env.key(), "say": "?"}, env.key()), headers=headers)
        letter = await env.letter()
    spelled = "M\N{REPLACEMENT CHARACTER}ller"
    assert DROPPED not in letter.headers
    assert {name: letter.headers[name] for name in headers} == {
        "name": spelled,
        "list": [{"deep": spelled}],
        "tenant": "north",
    }


async def test_header_whose_name_would_be_cut_is_dropped(env: BridgeEnvironment, bus: Bus) -> None:
    """Under a shorter name it would be another header; so would one within a table."""
    headers = {"list": [{"k" * 120 + "\N{EURO SIGN}" * 3: 1}], "tenant": "north"}
    async with env.bridge():
        await bus.publish(event("patient.note", {"id": env.key(), "say": "?"}, env.key()), headers=headers)
        letter = await env.letter()
    assert letter.headers["tenant"] == "north"


async def test_many_headers_lose_the_largest_alone(env: BridgeEnvironment, bus: Bus) -> None:
    """What fits is kept."""
    headers = {f"h{size}": "x" * size for size in (10, 1_000, 30_000, 31_000, 32_000)}
    async with env.bridge():
        await bus.publish(event("patient.note", {"id": env.key(), "say": "?"}, env.key()), headers=headers)
        letter = await env.letter()
    assert letter.headers[DROPPED] == ["h32000"]
    assert {name for name in headers if name in letter.headers} == {"h10", "h1000", "h30000", "h31000"}

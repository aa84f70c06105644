"""A key that is sent as a header alone: part of the event, whichever way the message takes."""

from __future__ import annotations

import json

import pytest

from bridge.amqp.delivery import OWN_GROUP
from bridge.amqp.letters import event_of
from bridge.topology.layout import direct_headers
from tests.bridge.environment import KEY, BridgeEnvironment
from tests.bridge.library import definition, event, library, on
from tests.support.bus import TOPOLOGY, Bus
from workflows.language.triggers import Signal, Start

GROUPED = library(definition("quick", on("quick.*", Start(KEY), when="event.metadata.group_id == event.data.group")))
LONG = "\N{LATIN SMALL LETTER U WITH DIAERESIS}" * 600
"""More than 1,000 bytes: what the partition goes by is cut, the key of the event is not."""


@pytest.mark.parametrize("sent", ["A1", 42, 0, LONG], ids=["text", "number", "zero", "long"])
async def test_key_of_a_header_is_part_of_a_sorted_event(env: BridgeEnvironment, bus: Bus, sent: str | int) -> None:
    """Triggers see it, and the log has it, so that a replay keeps its order."""
    key = env.key()
    async with env.bridge(loaded=GROUPED):
        await bus.publish(event("quick.go", {"id": key, "group": str(sent)}, key), headers={"x-group-id": sent})
        await env.outcomes.until(1)
        assert await env.finished(f"quick/{key}") == 1
    (row,) = await env.database.fetch("select envelope, group_key from saga.events")
    assert json.loads(row["envelope"])["metadata"] == {"group_id": str(sent)}


async def test_key_of_a_header_is_the_same_sorted_and_direct(env: BridgeEnvironment, bus: Bus) -> None:
    """The way that a message takes is not seen in the event."""
    keys = [env.key(), env.key()]
    async with env.bridge(loaded=GROUPED):
        for key, headers in zip(keys, [{"x-group-id": "A1"}, direct_headers("A1", "low", TOPOLOGY)], strict=True):
            await bus.publish(event("quick.go", {"id": key, "group": "A1"}, key), headers=headers)
        await env.outcomes.until(2)
        assert [await env.finished(f"quick/{key}") for key in keys] == [1, 1]


@pytest.mark.parametrize(("headers", "expected"), [({"x-group-id": "A1"}, "A1"), ({OWN_GROUP: "forged"}, None)])
async def test_dead_letter_keeps_the_key_of_the_producer_alone(
    env: BridgeEnvironment, bus: Bus, headers: dict[str, str], expected: str | None
) -> None:
    """A retry has the key that the producer sent, and not the one that sorting gave."""
    lost = library(definition("patient", on("patient.note", Signal(KEY, "note"))))
    async with env.bridge(loaded=lost):
        await bus.publish(event("patient.note", {"id": env.key(), "say": "?"}, env.key()), headers=headers)
        letter = await env.letter()
    assert letter.code == "run-not-found"
    assert event_of(letter).group_id == expected

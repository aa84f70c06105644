"""Messages that would stop a careless bridge for ever: it handles them or puts them aside, and goes on."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bridge.amqp.delivery import SORTED
from bridge.topology.model import GroupRule
from bridge.topology.names import CLASS_HEADER, GROUP_HEADER
from contracts.envelope import Event
from contracts.json import Json
from store.outbox import add_alone, outbox_state
from tests.bridge.bus import DEAD_LETTERS, TOPOLOGY, Bus
from tests.bridge.library import event, template
from tests.bridge.waiting import eventually
from tests.bridge.world import World

_DEEP_ENOUGH = 20_000
_DIRECT = {GROUP_HEADER: "g", CLASS_HEADER: "low"}


def _nested(levels: int) -> list[Json]:
    value: list[Json] = [1]
    for _ in range(levels):
        value = [value]
    return value


@contextmanager
def _writing_deeply() -> Iterator[None]:
    """Another client library may write what ours cannot."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(_DEEP_ENOUGH)
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def _quick(key: str) -> Event:
    return event("quick.go", {"id": key}, key)


def _runless(key: str) -> Event:
    return event("patient.note", {"id": key, "say": "?"}, key)


HEADERS: dict[str, dict[str, Any]] = {
    "routing key": {"x-saga-routing-key": "k" * 300},
    "emoji": {"h": "\U0001f600" * 32_730},
    "attempts": {"x-saga-attempts": 2**63 - 1},
    "nested 488": {"h": _nested(488)},
    "nested 491": {"h": _nested(491)},
    "nested 3000": {"h": _nested(3000)},
}
WAYS = {"to be sorted": {}, "direct": _DIRECT}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("hostile", HEADERS)
async def test_hostile_headers_hold_up_nobody(world: World, bus: Bus, hostile: str, way: str) -> None:
    """An event, one that ends as dead letter and no event at all, waiting at the start: each has an outcome."""
    bad, good, headers = world.key(), world.key(), HEADERS[hostile] | WAYS[way]
    async with world.bridge():
        pass
    with _writing_deeply():
        await bus.publish(_quick(bad), headers=headers)
        await bus.publish(_runless(f"missing-{bad}"), headers=headers)
        await bus.publish_bytes(b"?", "a.b", headers=headers)
    await bus.publish(_quick(good), headers=WAYS[way])
    async with world.bridge():
        await world.outcomes.until(4)
        assert [await world.finished(f"quick/{key}") for key in (bad, good)] == [1, 1]
        assert sorted(letter.code for letter in await world.letters(2)) == ["malformed-event", "run-not-found"]
        await bus.all_taken()
        await bus.becomes(DEAD_LETTERS, 0)
    assert len(world.outcomes) == 4


async def test_headers_that_were_nested_too_deeply_are_named(world: World, bus: Bus) -> None:
    """The dead letter says that they could not be kept."""
    async with world.bridge():
        await bus.publish_bytes(b"?", "a.b", headers={"h": _nested(100)})
        letter = await world.letter()
    assert "nested more than" in str(letter.headers)


def _broken(_: object) -> Json:
    raise ZeroDivisionError("planned")


async def test_ordering_rule_that_fails_holds_up_nobody(world: World, bus: Bus) -> None:
    """Its events are put aside, also what a bridge without that rule has sorted before; others are served."""
    topology = replace(TOPOLOGY, ordering=(GroupRule("bad.*", replace(template("${ event.id }"), code=_broken)),))
    key = world.key()
    async with world.bridge(topology=topology):
        await bus.publish(event("bad.one", {}, "to be sorted"))
        await bus.publish(event("bad.two", {}, "sorted before"), headers=_DIRECT | {SORTED: "1"})
        await bus.publish(_quick(key))
        await world.outcomes.until(3)
        assert await world.finished(f"quick/{key}") == 1
        assert {b"bad.one" in letter.body for letter in await world.letters(2)} == {True, False}
        await bus.all_taken()


async def test_event_from_before_1970_is_relayed(world: World, bus: Bus) -> None:
    """AMQP has no such time; the body has it, and the next event goes out too."""
    key = world.key()
    moon = datetime(1969, 7, 20, tzinfo=UTC)
    async with world.bridge():
        await add_alone(world.database, replace(_quick(f"{key}-old"), time=moon))
        await add_alone(world.database, _quick(key))
        await world.begun([f"quick/{key}", f"quick/{key}-old"])

        async def settled() -> bool:
            return (await outbox_state(world.database)).waiting == 0

        await eventually(settled)


async def test_time_before_1970_comes_through_in_the_body(world: World, bus: Bus) -> None:
    """A producer may say it, where the body says it."""
    key = world.key()
    body = json.dumps(replace(_quick(key), time=datetime(1815, 12, 10, tzinfo=UTC)).to_json()).encode()
    async with world.bridge():
        await bus.publish_bytes(body, "quick.go")
        await world.outcomes.until(1)
        assert await world.finished(f"quick/{key}") == 1

"""Malformed messages that could block a bridge for ever: it handles them or puts them aside, and goes on."""

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
from bridge.topology.layout import direct_headers
from bridge.topology.model import GroupRule
from contracts.envelope import Event
from contracts.json import Json
from store.outbox import add_alone, outbox_state
from tests.bridge.environment import BridgeEnvironment
from tests.bridge.library import event, template
from tests.support.bus import DEAD_LETTERS, TOPOLOGY, Bus
from tests.support.waiting import eventually

_DEEP_ENOUGH = 20_000
_DIRECT = direct_headers("g", "low", TOPOLOGY)


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
ROUTES = {"to be sorted": {}, "direct": _DIRECT}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("hostile", HEADERS)
async def test_hostile_headers_hold_up_nobody(env: BridgeEnvironment, bus: Bus, hostile: str, route: str) -> None:
    """An event, one that ends as dead letter and no event at all, waiting at the start: each has an outcome."""
    bad, good, headers = env.key(), env.key(), HEADERS[hostile] | ROUTES[route]
    async with env.bridge():
        pass
    with _writing_deeply():
        await bus.publish(_quick(bad), headers=headers)
        await bus.publish(_runless(f"missing-{bad}"), headers=headers)
        await bus.publish_bytes(b"?", "a.b", headers=headers)
    await bus.publish(_quick(good), headers=ROUTES[route])
    async with env.bridge():
        await env.outcomes.until(4)
        assert [await env.finished(f"quick/{key}") for key in (bad, good)] == [1, 1]
        assert sorted(letter.code for letter in await env.letters(2)) == ["malformed-event", "run-not-found"]
        await bus.all_taken()
        await bus.becomes(DEAD_LETTERS, 0)
    assert len(env.outcomes) == 4


async def test_headers_that_were_nested_too_deeply_are_named(env: BridgeEnvironment, bus: Bus) -> None:
    """The dead letter says that they could not be kept."""
    async with env.bridge():
        await bus.publish_bytes(b"?", "a.b", headers={"h": _nested(100)})
        letter = await env.letter()
    assert "nested more than" in str(letter.headers)


def _broken(_: object) -> Json:
    raise ZeroDivisionError("planned")


async def test_ordering_rule_that_fails_holds_up_nobody(env: BridgeEnvironment, bus: Bus) -> None:
    """A bug of ours is not the event's fault: it waits, also what a bridge without that rule has sorted before, and is
    tried again; others are served.
    """
    topology = replace(TOPOLOGY, ordering=(GroupRule("bad.*", replace(template("${ event.id }"), code=_broken)),))
    key = env.key()
    async with env.bridge(topology=topology):
        await bus.publish(event("bad.one", {}, "to be sorted"))
        await bus.publish(event("bad.two", {}, "sorted before"), headers=_DIRECT | {SORTED: "1"})
        await bus.publish(_quick(key))
        await env.finished_once(f"quick/{key}")
        await eventually(lambda: _were_delayed(env, {"bad.one", "bad.two"}))
        await bus.all_taken()
        assert await bus.depth(DEAD_LETTERS) == 0


async def _were_delayed(env: BridgeEnvironment, types: set[str]) -> bool:
    return {each.routing_key for each in env.outcomes if each.word == "delayed"} == types


async def test_event_from_before_1970_is_relayed(env: BridgeEnvironment, bus: Bus) -> None:
    """AMQP has no such time; the body has it, and the next event goes out too."""
    key = env.key()
    moon = datetime(1969, 7, 20, tzinfo=UTC)
    async with env.bridge():
        await add_alone(env.database, replace(_quick(f"{key}-old"), time=moon))
        await add_alone(env.database, _quick(key))
        await env.begun([f"quick/{key}", f"quick/{key}-old"])

        async def settled() -> bool:
            return (await outbox_state(env.database)).waiting == 0

        await eventually(settled)


async def test_time_before_1970_comes_through_in_the_body(env: BridgeEnvironment, bus: Bus) -> None:
    """A producer may say it, where the body says it."""
    key = env.key()
    body = json.dumps(replace(_quick(key), time=datetime(1815, 12, 10, tzinfo=UTC)).to_json()).encode()
    async with env.bridge():
        await bus.publish_bytes(body, "quick.go")
        await env.outcomes.until(1)
        assert await env.finished(f"quick/{key}") == 1

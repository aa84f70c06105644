"""Retries: what fails for an unclear reason comes back later, in order, and not for ever."""

from __future__ import annotations

import asyncio

import pytest

from contracts.envelope import Event
from store import event_log
from store.event_reader import find
from tests.bridge.environment import BridgeEnvironment
from tests.bridge.fault_injection import FaultInjector
from tests.bridge.library import event
from tests.support.bus import Bus


def _note(key: str, say: str) -> Event:
    return event("patient.note", {"id": key, "say": say}, f"{key}-{say}")


@pytest.mark.parametrize("point", ["after-record", "after-start"])
async def test_event_that_failed_comes_back_after_a_delay(env: BridgeEnvironment, bus: Bus, point: str) -> None:
    """It is tried again from the delay queue, and its run starts once."""
    key, injector = env.key(), FaultInjector(point, lambda _: True, times=1)
    async with env.bridge(reached=injector.reached, check=injector.check):
        await bus.publish(event("quick.go", {"id": key}, key))
        await env.outcomes.until(2)
    assert [outcome.word for outcome in env.outcomes] == ["delayed", "dispatched"]
    assert [outcome.attempts for outcome in env.outcomes] == [1, 2]
    assert await env.finished(f"quick/{key}") == 1


async def test_poison_event_is_put_aside_and_the_others_go_on(env: BridgeEnvironment, bus: Bus) -> None:
    """Exactly the one of a hundred that always fails is dead-lettered, after so many tries; the others are served."""
    keys = [env.key() for _ in range(100)]
    injector = FaultInjector("after-record", lambda identity: identity == keys[50], times=99)
    async with env.bridge(reached=injector.reached, check=injector.check, attempts=2):
        await asyncio.gather(*(bus.publish(event("quick.go", {"id": key}, key)) for key in keys))
        await env.outcomes.until(101)
        letter = await env.letter()
    assert (letter.event_id, letter.code, letter.attempts) == (keys[50], "internal-error", 2)
    assert "planned failure 2" in letter.reason
    assert injector.failed == {keys[50]: 2}
    assert [await env.finished(f"quick/{key}") for key in keys if key != keys[50]] == [1] * 99


async def test_events_behind_one_that_failed_stay_behind_it(env: BridgeEnvironment, bus: Bus) -> None:
    """The second fails twice: the third and the end wait for it, and the run has all in their order."""
    key = env.key()
    injector = FaultInjector("after-record", lambda identity: identity == f"{key}-two", times=1)
    async with env.bridge(reached=injector.reached, check=injector.check):
        await bus.publish(event("patient.begin", {"id": key}, f"{key}-begin"))
        for say in ("one", "two", "three", "end"):
            await bus.publish(_note(key, say))
        notes = await env.notes(key)
    assert notes == ["one", "two", "three", "end"]
    assert [outcome.word for outcome in env.outcomes].count("delayed") == 3


async def test_events_that_came_back_out_of_order_are_put_in_order(env: BridgeEnvironment, bus: Bus) -> None:
    """The first of a key needs not wait for the second that is delayed too; the second waits for the first."""
    key = env.key()
    injector = FaultInjector("after-record", lambda identity: identity.startswith(key) and "note" in identity, times=1)
    async with env.bridge(reached=injector.reached, check=injector.check):
        await bus.publish(event("patient.begin", {"id": key}, f"{key}-begin"))
        for say in ("one", "two", "end"):
            await bus.publish(event("patient.note", {"id": key, "say": say}, f"{key}-note-{say}"))
        notes = await env.notes(key)
    assert notes == ["one", "two", "end"]


async def test_log_tells_what_became_of_an_event(env: BridgeEnvironment, bus: Bus) -> None:
    """Recorded once, with its outcome and what it did."""
    key = env.key()
    async with env.bridge():
        await bus.publish(event("quick.go", {"id": key}, key))
        await bus.publish(event("quick.go", {"id": key}, key))
        await env.outcomes.until(2)
    [logged] = await find(env.database, key)
    assert (logged.outcome, logged.group_key) == ("dispatched", f"quick/{key}")
    [effect] = (logged.effects or {}).values()
    assert effect == {"kind": "started", "workflow_id": f"quick/{key}", "run_id": env.outcomes.run_ids.pop()}
    assert await event_log.lag(env.database) is None


async def test_same_id_with_another_body_is_parked(env: BridgeEnvironment, bus: Bus) -> None:
    """A conflict is never carried out; it is put aside, and the first event's record stays."""
    first, second = env.key(), env.key()
    async with env.bridge():
        await bus.publish(event("quick.go", {"id": first}, first))
        await env.outcomes.until(1)
        await bus.publish(event("quick.go", {"id": second}, first))
        await env.outcomes.until(2)
        letter = await env.letter()
    assert [outcome.word for outcome in env.outcomes] == ["dispatched", "conflict"]
    assert letter.code == "event-conflict"
    [logged] = await find(env.database, first)
    assert logged.outcome == "dispatched"

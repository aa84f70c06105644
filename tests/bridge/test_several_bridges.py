"""Several bridges: they share the work, and the order of each key holds whatever happens to one of them."""

from __future__ import annotations

import asyncio
import os
import signal
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest

from bridge.bridge import running_bridge
from bridge.outcomes import Outcome
from bridge.settings import BridgeSettings
from bridge.surroundings import Surroundings, Watchers
from bridge.topology.layout import direct_headers
from bridge.topology.model import Topology
from cli.stack.events import Service
from contracts.envelope import Event
from store import bridges
from tests.bridge.bridge_process import bridge_process
from tests.bridge.environment import LIBRARY, BridgeEnvironment
from tests.bridge.library import event
from tests.support.bus import TOPOLOGY, Bus
from tests.support.copies import Copy
from tests.support.waiting import PATIENCE_SECONDS, eventually

pytestmark = pytest.mark.fault

MANY = 10_000 if os.environ.get("SAGA_CHAOS") == "full" else 2_000
QUICK = timedelta(milliseconds=200)


def _counting(counts: Counter[str], name: str, seen: Callable[[], None]) -> Callable[[Outcome], None]:
    def count(_: Outcome) -> None:
        counts[name] += 1
        seen()

    return count


async def _all_alive(env: BridgeEnvironment, count: int) -> None:
    async def so_many() -> bool:
        return len(await bridges.alive(env.database)) == count

    await eventually(so_many)


async def _spread(bus: Bus, counts: Counter[str]) -> None:
    """Wait until the queues have changed hands: a bridge that is subscribed may not have been given its share yet."""
    wave = 120

    async def so_even() -> bool:
        counts.clear()
        await bus.publish_many(event("nobody.cares", {}, f"early-{uuid.uuid4()}") for _ in range(wave))
        while counts.total() < wave:  # noqa: ASYNC110 - the bridges count
            await asyncio.sleep(0.02)
        return max(counts.values()) <= 0.47 * wave

    await eventually(so_even)


async def test_three_bridges_share_the_work_evenly(env: BridgeEnvironment, bus: Bus) -> None:
    """Of some thousand events each takes its part: 20 to 47 %; all are handled once."""
    counts, done = Counter[str](), asyncio.Event()
    settings = BridgeSettings(Topology(), sign_of_life=QUICK, task_queue=env.task_queue)

    def seen() -> None:
        if counts.total() >= MANY:
            done.set()

    async with AsyncExitStack() as stack:
        for name in ("one", "two", "three"):
            around = Surroundings(env.amqp_url, env.client, env.database, lambda: LIBRARY)
            watchers = Watchers(_counting(counts, name, seen))
            await stack.enter_async_context(running_bridge(around, settings, watchers))
        await _all_alive(env, 3)
        await _spread(bus, counts)
        counts.clear()
        await bus.publish_many(event("nobody.cares", {"n": n}, f"event-{n}") for n in range(MANY))
        await asyncio.wait_for(done.wait(), 300)
    assert counts.total() == MANY
    assert all(0.20 <= counts[name] / MANY <= 0.47 for name in ("one", "two", "three")), counts


async def test_share_of_a_bridge_that_is_gone_is_served_all_the_same(env: BridgeEnvironment, bus: Bus) -> None:
    """Somebody is noted as in line who is not: what is given up for it comes back, and nothing waits for it."""
    count = 60
    async with env.bridge(sign_of_life=QUICK):
        await bridges.beat(env.database, uuid.UUID(int=0), "elsewhere", 1, True, {})
        for number in range(count):
            await bus.publish(event("nobody.cares", {}, f"event-{number}"))
        await env.outcomes.until(count)
    assert {outcome.word for outcome in env.outcomes} == {"unrouted"}


def _sequence(key: str, words: int) -> list[Event]:
    begin = event("patient.begin", {"id": key}, f"{key}-begin")
    notes = [event("patient.note", {"id": key, "say": str(n)}, f"{key}-{n}") for n in range(words)]
    return [begin, *notes, event("patient.note", {"id": key, "say": "end"}, f"{key}-end")]


async def test_order_of_each_key_holds_when_bridges_come_and_go(env: BridgeEnvironment, bus: Bus) -> None:
    """Queues change hands while events flow: a bridge joins, one leaves in good order, another joins."""
    keys, words = [env.key() for _ in range(20)], 15
    sequences = [_sequence(key, words) for key in keys]
    published = [one for step in zip(*sequences, strict=True) for one in step]
    async with env.bridge(sign_of_life=QUICK):
        async with env.bridge(sign_of_life=QUICK):
            for one in published[: len(published) // 2]:
                await bus.publish(one)
        async with env.bridge(sign_of_life=QUICK):
            for one in published[len(published) // 2 :]:
                await bus.publish(one)
            told = [await env.notes(key) for key in keys]
    assert told == [[*map(str, range(words)), "end"]] * len(keys)


@pytest.mark.parametrize("point", ["after-start", "after-record", "before-acknowledge"])
async def test_order_of_each_key_holds_when_a_bridge_is_killed(
    env: BridgeEnvironment, bus: Bus, temporal_service: Service, point: str
) -> None:
    """Two bridges, one dies by SIGKILL in the middle: every run has its words in order, each once."""
    keys = [env.key() for _ in range(10)]
    async with env.bridge():
        pass
    crash = ("--crash-at", point, "--crash-count", "20")
    async with bridge_process(env, temporal_service, *crash) as dying, bridge_process(env, temporal_service):
        await bus.publish_many(event("patient.begin", {"id": key}, f"{key}-begin") for key in keys)
        words = await _told_until_dead(bus, keys, dying)
        await bus.publish_many(event("patient.note", {"id": key, "say": "end"}, f"{key}-end") for key in keys)
        told = [await env.notes(key) for key in keys]
    assert dying.returncode == -signal.SIGKILL
    assert told == [[*map(str, range(words)), "end"]] * len(keys)


async def _told_until_dead(bus: Bus, keys: list[str], dying: Copy) -> int:
    """Publish a word to each key, again and again: how much of it a bridge gets, and when, is not for us to say."""
    words = 0
    async with asyncio.timeout(PATIENCE_SECONDS):
        while dying.returncode is None:
            note = {"say": str(words)}
            await bus.publish_many(event("patient.note", {"id": key, **note}, f"{key}-{words}") for key in keys)
            await asyncio.sleep(0.05)
            words += 1
    return words


async def test_events_that_say_their_place_are_not_sorted(env: BridgeEnvironment, bus: Bus) -> None:
    """A producer that names key, class and partition saves the sorting; order and outcome are the same."""
    key = env.key()
    headers = direct_headers(key, "high", TOPOLOGY)
    sorted_by_us: list[str] = []

    def reached(name: str) -> None:
        if name == "after-sort":
            sorted_by_us.append(name)

    async with env.bridge(reached=reached):
        for one in _sequence(key, 5):
            await bus.publish(one, headers=headers)
        assert await env.notes(key) == [*"01234", "end"]
    assert sorted_by_us == []


async def test_urgent_events_overtake_a_backlog(env: BridgeEnvironment, bus: Bus) -> None:
    """Some of high priority behind many of low, while Temporal is the bottleneck: they are through while low ones still
    wait, and low ones go on meanwhile."""
    low = [event("quick.low", {"id": env.key()}, f"low-{n}") for n in range(400)]
    high = [event("quick.high", {"id": env.key()}, f"high-{n}") for n in range(20)]
    async with env.bridge():
        pass
    await bus.publish_many(low)
    await bus.publish_many(high, priority=9)
    async with env.bridge(concurrency=1):
        await env.outcomes.until(len(low) + len(high))
    order = [outcome.event_type for outcome in env.outcomes]
    last_high = len(order) - order[::-1].index("quick.high")
    assert last_high < 0.8 * len(order), f"the last urgent event was number {last_high} of {len(order)}"
    assert order[:last_high].count("quick.low") > 0

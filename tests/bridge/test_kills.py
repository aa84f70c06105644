"""Kill tests: the bridge's process dies at the worst moments, and each event still starts its run exactly once."""

from __future__ import annotations

import asyncio
import signal

import pytest

from cli.stack.events import Service
from tests.bridge.bridge_process import bridge_process
from tests.bridge.environment import BridgeEnvironment
from tests.bridge.library import event
from tests.support.bus import Bus

pytestmark = pytest.mark.fault


async def _declare(env: BridgeEnvironment) -> None:
    """Let a bridge declare the queue, so that events wait in it."""
    async with env.bridge():
        pass


@pytest.mark.parametrize(
    "point", ["after-sort", "after-consume", "after-record", "after-start", "after-mark", "before-acknowledge"]
)
async def test_event_starts_its_run_once_though_the_bridge_is_killed(
    env: BridgeEnvironment, bus: Bus, temporal_service: Service, point: str
) -> None:
    """Killed at a crash point in the middle of a backlog and started again: nothing lost, nothing twice."""
    keys = [env.key() for _ in range(20)]
    await _declare(env)
    await asyncio.gather(*(bus.publish(event("quick.go", {"id": key}, key)) for key in keys))
    async with bridge_process(env, temporal_service, "--crash-at", point, "--crash-count", "7") as process:
        assert await process.wait() == -signal.SIGKILL
    async with bridge_process(env, temporal_service):
        await env.begun(f"quick/{key}" for key in keys)
        await bus.all_taken()
    async with env.bridge():
        await bus.all_taken()
    assert [await env.finished(f"quick/{key}") for key in keys] == [1] * len(keys)
    assert await env.letters(0) == []


async def test_signal_is_applied_once_though_the_bridge_is_killed(
    env: BridgeEnvironment, bus: Bus, temporal_service: Service
) -> None:
    """Killed after Temporal took a signal and before the acknowledgement: the redelivery is not applied again."""
    key = env.key()
    await _declare(env)
    for kind, say in (("begin", ""), ("note", "one"), ("note", "two"), ("note", "end")):
        await bus.publish(event(f"patient.{kind}", {"id": key, "say": say}, f"{key}-{kind}-{say}"))
    crash = ("--crash-at", "after-start", "--crash-count", "2", "--prefetch", "1")
    async with bridge_process(env, temporal_service, *crash) as process:
        assert await process.wait() == -signal.SIGKILL
    async with env.bridge():
        notes = await env.run(f"patient/{key}").result()
    assert [note[0] for note in notes] == ["one", "two", "end"]


async def test_dead_letter_is_stored_once_though_the_bridge_is_killed(
    env: BridgeEnvironment, bus: Bus, temporal_service: Service
) -> None:
    """Killed between storing the dead letter and the acknowledgement: the second copy is the same letter."""
    await _declare(env)
    await bus.publish_bytes(b"?", "a")
    async with bridge_process(env, temporal_service, "--crash-at", "after-dead-letter") as process:
        assert await process.wait() == -signal.SIGKILL
    async with env.bridge():
        await env.outcomes.until(1)
        assert (await env.letter()).body == b"?"


async def test_event_whose_bridges_always_die_is_put_aside(
    env: BridgeEnvironment, bus: Bus, temporal_service: Service
) -> None:
    """An event that kills every process that takes it ends as a dead letter, and the next one is served."""
    key = env.key()
    await _declare(env)
    await bus.publish(event("quick.go", {"id": env.key()}, "deadly"))
    for _ in range(2):
        async with bridge_process(env, temporal_service, "--crash-at", "after-consume") as process:
            assert await process.wait() == -signal.SIGKILL
    async with env.bridge(deliveries=1):
        await bus.publish(event("quick.go", {"id": key}, key))
        await env.outcomes.until(2)
        letter = await env.letter()
    assert (letter.event_id, letter.code) == ("deadly", "gave-up")
    assert await env.finished(f"quick/{key}") == 1

"""Kill tests: the bridge's process dies at the worst moments, and each event still starts its run exactly once."""

from __future__ import annotations

import asyncio
import signal

import pytest

from cli.stack.events import Service
from tests.bridge.bus import Bus
from tests.bridge.library import event
from tests.bridge.processes import bridge_process
from tests.bridge.world import World


async def _declare(world: World) -> None:
    """Let a bridge declare the queue, so that events wait in it."""
    async with world.bridge():
        pass


@pytest.mark.parametrize(
    "point", ["after-sort", "after-consume", "after-record", "after-start", "after-mark", "before-acknowledge"]
)
async def test_event_starts_its_run_once_though_the_bridge_is_killed(
    world: World, bus: Bus, temporal_service: Service, point: str
) -> None:
    """Killed at a crash point in the middle of a backlog and started again: nothing lost, nothing twice."""
    keys = [world.key() for _ in range(20)]
    await _declare(world)
    await asyncio.gather(*(bus.publish(event("quick.go", {"id": key}, key)) for key in keys))
    async with bridge_process(world, temporal_service, "--crash-at", point, "--crash-count", "7") as process:
        assert await process.wait() == -signal.SIGKILL
    async with bridge_process(world, temporal_service):
        await world.begun(f"quick/{key}" for key in keys)
        await bus.all_taken()
    async with world.bridge():
        await bus.all_taken()
    assert [await world.finished(f"quick/{key}") for key in keys] == [1] * len(keys)
    assert await world.letters(0) == []


async def test_signal_is_applied_once_though_the_bridge_is_killed(
    world: World, bus: Bus, temporal_service: Service
) -> None:
    """Killed after Temporal took a signal and before the acknowledgement: the redelivery is not applied again."""
    key = world.key()
    await _declare(world)
    for kind, say in (("begin", ""), ("note", "one"), ("note", "two"), ("note", "end")):
        await bus.publish(event(f"patient.{kind}", {"id": key, "say": say}, f"{key}-{kind}-{say}"))
    crash = ("--crash-at", "after-start", "--crash-count", "2", "--prefetch", "1")
    async with bridge_process(world, temporal_service, *crash) as process:
        assert await process.wait() == -signal.SIGKILL
    async with world.bridge():
        notes = await world.run(f"patient/{key}").result()
    assert [note[0] for note in notes] == ["one", "two", "end"]


async def test_dead_letter_is_stored_once_though_the_bridge_is_killed(
    world: World, bus: Bus, temporal_service: Service
) -> None:
    """Killed between storing the dead letter and the acknowledgement: the second copy is the same letter."""
    await _declare(world)
    await bus.publish_bytes(b"?", "a")
    async with bridge_process(world, temporal_service, "--crash-at", "after-dead-letter") as process:
        assert await process.wait() == -signal.SIGKILL
    async with world.bridge():
        await world.outcomes.until(1)
        assert (await world.letter()).body == b"?"


async def test_event_whose_bridges_always_die_is_put_aside(world: World, bus: Bus, temporal_service: Service) -> None:
    """An event that kills every process that takes it ends as a dead letter, and the next one is served."""
    key = world.key()
    await _declare(world)
    await bus.publish(event("quick.go", {"id": world.key()}, "deadly"))
    for _ in range(2):
        async with bridge_process(world, temporal_service, "--crash-at", "after-consume") as process:
            assert await process.wait() == -signal.SIGKILL
    async with world.bridge(deliveries=1):
        await bus.publish(event("quick.go", {"id": key}, key))
        await world.outcomes.until(2)
        letter = await world.letter()
    assert (letter.event_id, letter.code) == ("deadly", "gave-up")
    assert await world.finished(f"quick/{key}") == 1

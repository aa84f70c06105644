"""Kill tests: the bridge's process dies at the worst moments, and each event still starts its run exactly once."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cli.stack.events import Service
from tests.bridge.bus import DEAD_LETTERS, EVENTS, Bus
from tests.bridge.library import event
from tests.bridge.world import World

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def _bridge_process(world: World, temporal: Service, *crash: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A bridge in its own process; killed at the end of the block, if it is not dead by then."""
    where = ("--amqp", world.amqp_url, "--temporal", temporal.url, "--task-queue", world.task_queue)
    command = (sys.executable, "-m", "tests.bridge.process", *where, *crash)
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.DEVNULL)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _declare(world: World) -> None:
    """Let a bridge declare the queue, so that events wait in it."""
    async with world.bridge():
        pass


@pytest.mark.parametrize("point", ["after-consume", "after-start", "before-acknowledge"])
async def test_event_starts_its_run_once_though_the_bridge_is_killed(
    world: World, bus: Bus, temporal_service: Service, point: str
) -> None:
    """Killed at a crash point in the middle of a backlog and started again: nothing lost, nothing twice."""
    keys = [world.key() for _ in range(20)]
    await _declare(world)
    await asyncio.gather(*(bus.publish(event("quick.go", {"id": key}, key)) for key in keys))
    async with _bridge_process(world, temporal_service, "--crash-at", point, "--crash-count", "7") as process:
        assert await process.wait() == -signal.SIGKILL
    async with _bridge_process(world, temporal_service):
        await world.begun(f"quick/{key}" for key in keys)
        await bus.becomes(EVENTS, 0)
    async with world.bridge():
        await bus.becomes(EVENTS, 0)
    assert [await world.finished(f"quick/{key}") for key in keys] == [1] * len(keys)
    assert await bus.depth(DEAD_LETTERS) == 0


async def test_signal_is_applied_once_though_the_bridge_is_killed(
    world: World, bus: Bus, temporal_service: Service
) -> None:
    """Killed after Temporal took a signal and before the acknowledgement: the redelivery is not applied again."""
    key = world.key()
    await _declare(world)
    for kind, say in (("begin", ""), ("note", "one"), ("note", "two"), ("note", "end")):
        await bus.publish(event(f"patient.{kind}", {"id": key, "say": say}, f"{key}-{kind}-{say}"))
    crash = ("--crash-at", "after-start", "--crash-count", "2", "--prefetch", "1")
    async with _bridge_process(world, temporal_service, *crash) as process:
        assert await process.wait() == -signal.SIGKILL
    async with world.bridge():
        notes = await world.run(f"patient/{key}").result()
    assert [note[0] for note in notes] == ["one", "two", "end"]


async def test_dead_letter_is_stored_at_least_once_though_the_bridge_is_killed(
    world: World, bus: Bus, temporal_service: Service
) -> None:
    """Killed between storing the dead letter and the acknowledgement: it may be there twice, but it is there."""
    await _declare(world)
    await bus.publish_bytes(b"?", "a")
    async with _bridge_process(world, temporal_service, "--crash-at", "after-dead-letter") as process:
        assert await process.wait() == -signal.SIGKILL
    async with world.bridge():
        await world.outcomes.until(1)
    await bus.becomes(DEAD_LETTERS, 2)
    assert [(await bus.take(DEAD_LETTERS)).body for _ in range(2)] == [b"?", b"?"]


async def test_event_whose_bridges_always_die_is_put_aside(world: World, bus: Bus, temporal_service: Service) -> None:
    """An event that kills every process that takes it ends as a dead letter, and the next one is served."""
    key = world.key()
    await _declare(world)
    await bus.publish(event("quick.go", {"id": world.key()}, "deadly"))
    for _ in range(2):
        async with _bridge_process(world, temporal_service, "--crash-at", "after-consume") as process:
            assert await process.wait() == -signal.SIGKILL
    async with world.bridge(deliveries=1):
        await bus.publish(event("quick.go", {"id": key}, key))
        await world.outcomes.until(2)
    letter = await bus.take(DEAD_LETTERS)
    assert (letter.message_id, letter.headers["x-saga-code"]) == ("deadly", "gave-up")
    assert await world.finished(f"quick/{key}") == 1

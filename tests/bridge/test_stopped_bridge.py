"""A bridge process that stands still (SIGSTOP) until the broker has given its deliveries to another, then goes on.

Between the two, the other bridge handles the event and the next one with its key, which starts a run of its own. So
Temporal cannot recognise the first event's request any more: only the bridge that wakes can know that it is late.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from cli.stack.events import Service
from store import bridges
from tests.bridge.bridge_process import bridge_process
from tests.bridge.environment import BridgeEnvironment
from tests.bridge.library import event
from tests.chaos.size import sized
from tests.support.bus import Bus
from tests.support.copies import Copy
from tests.support.waiting import eventually

pytestmark = pytest.mark.fault

HEARTBEAT_SECONDS = 2
"""RabbitMQ drops a connection after two to three times as much silence."""


@asynccontextmanager
async def _stopping_bridge(env: BridgeEnvironment, temporal: Service, point: str, log: Path) -> AsyncIterator[Copy]:
    """A bridge that stops itself the first time that it reaches `point`."""
    url = f"{env.amqp_url}?heartbeat={HEARTBEAT_SECONDS}"
    crash = ("--crash-at", point, "--crash-signal", "SIGSTOP")
    async with bridge_process(env, temporal, *crash, amqp_url=url, log=log) as process:
        await eventually(partial(_is_in_line, env, process.pid))
        yield process


async def _is_in_line(env: BridgeEnvironment, pid: int) -> bool:
    return any(one.pid == pid and one.in_line for one in await bridges.alive(env.database))


async def _stopped(process: Copy) -> None:
    async def is_stopped() -> bool:
        return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    await eventually(is_stopped)


async def _logged(log: Path, what: str) -> None:
    async def is_there() -> bool:
        return what in log.read_text()

    await eventually(is_there)


async def _handled(env: BridgeEnvironment, bus: Bus, key: str, event_id: str, *, is_there: bool = False) -> None:
    """Have an event handled by the bridge of this process, and wait until the run that it started has ended."""

    async def is_told() -> bool:
        return event_id in {outcome.event_id for outcome in env.outcomes}

    if not is_there:
        await bus.publish(event("quick.go", {"id": key}, event_id))
    await eventually(is_told)
    await env.run(f"quick/{key}").result()


@pytest.mark.parametrize("point", ["after-consume", "after-record", "after-start", "after-mark"])
async def test_bridge_that_stood_still_starts_nothing_twice(
    env: BridgeEnvironment, bus: Bus, temporal_service: Service, tmp_path: Path, point: str
) -> None:
    """As many runs as events, whatever the bridge was about to do when it was stopped."""
    keys = [env.key() for _ in range(sized(1, 3))]
    for number, key in enumerate(keys):
        log = tmp_path / f"{number}.log"
        async with _stopping_bridge(env, temporal_service, point, log) as process:
            await bus.publish(event("quick.go", {"id": key}, f"{key}-a"))
            await _stopped(process)
            async with env.bridge():
                await _handled(env, bus, key, f"{key}-a", is_there=True)
                await _handled(env, bus, key, f"{key}-b")
                process.send_signal(signal.SIGCONT)
                # Said when all is over that the bridge had in hand.
                await _logged(log, "session_lost")
                await _handled(env, bus, key, f"{key}-c")
    assert [await env.finished(f"quick/{key}") for key in keys] == [3] * len(keys)
    assert await env.letters(0) == []

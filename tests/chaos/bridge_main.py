"""A bridge in a process of its own, which can kill itself at a crash point: the subject of the suite.

Its delays between tries are short, so that what is measured is the work and not the wait. The handling of some events
fails once in each process, for no clear reason, so that they go through the delay queues.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from temporalio.client import Client

from bridge.bridge import Bridge
from bridge.settings import BridgeSettings
from bridge.surroundings import Surroundings, Watchers
from contracts.envelope import Event
from store.database import open_database
from tests.bridge.bridge_main import killer
from tests.bridge.fault_injection import FaultInjector
from tests.chaos.library import LIBRARY
from tests.chaos.message_sequences import FAILING_SUFFIXES
from tests.chaos.planted_bugs import BRIDGES
from tests.support.bus import TOPOLOGY

_SHORT = timedelta(seconds=1)


def _first_time(suffix: str, folder: Path) -> Callable[[str], bool]:
    """Pick events whose ids end so, each only once in all processes, or the delays between tries would grow long."""

    def is_chosen(identity: str) -> bool:
        if not identity.endswith(suffix) or (folder / identity).exists():
            return False
        (folder / identity).touch()
        return True

    return is_chosen


def _watchers(arguments: argparse.Namespace) -> tuple[Callable[[Event], None], Watchers]:
    """Return the check that notes which event a task is about, and what happens at crash points."""
    folder = Path(arguments.ready).parent
    injectors = [
        FaultInjector(point, _first_time(suffix, folder), times=1) for suffix, point in FAILING_SUFFIXES.items()
    ]
    kill = killer(arguments.crash_at, arguments.crash_count, signal.SIGKILL)

    def reached(name: str) -> None:
        kill(name)
        for one in injectors:
            one.reached(name)

    return injectors[0].check, Watchers(reached=reached)


async def _until_asked_to_stop(bridge: Bridge, stop: asyncio.Event) -> None:
    stopping, ended = asyncio.ensure_future(stop.wait()), asyncio.ensure_future(bridge.ended())
    await asyncio.wait((stopping, ended), return_when=asyncio.FIRST_COMPLETED)
    if ended.done():
        ended.result()
    ended.cancel()
    await asyncio.gather(stopping, ended, return_exceptions=True)


async def serve(arguments: argparse.Namespace) -> None:
    """Run the bridge until the process is killed, or asked to stop."""
    client = await Client.connect(arguments.temporal)
    settings = BridgeSettings(
        TOPOLOGY,
        task_queue=arguments.task_queue,
        prefetch=arguments.prefetch,
        publish_timeout=timedelta(seconds=5),
        longest_delay=_SHORT,
        longest_reconnect=_SHORT,
        sign_of_life=timedelta(milliseconds=500),
    )
    check, watchers = _watchers(arguments)
    stop = asyncio.Event()
    # Whoever waits for the file may ask to stop in the same moment.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with open_database(arguments.database) as database:
        around = Surroundings(arguments.amqp, client, database, lambda: LIBRARY, check)
        bridge = BRIDGES[arguments.bug](around, settings, watchers)
        async with bridge.running():
            Path(arguments.ready).touch()
            await _until_asked_to_stop(bridge, stop)


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser()
    for name in ("--amqp", "--database", "--temporal", "--task-queue", "--crash-at", "--ready"):
        parser.add_argument(name)
    parser.add_argument("--crash-count", type=int, default=1)
    parser.add_argument("--prefetch", type=int, default=20)
    parser.add_argument("--bug", choices=list(BRIDGES), default="none")
    asyncio.run(serve(parser.parse_args()))
    os._exit(0)  # Temporal's client sometimes aborts while the interpreter ends


if __name__ == "__main__":
    main()

"""A bridge in a process of its own that can kill or stop itself at a crash point: the subject of the kill tests."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable

from temporalio.client import Client

from bridge.bridge import run_bridge
from bridge.settings import BridgeSettings
from bridge.surroundings import Surroundings, Watchers
from store.database import open_database
from tests.bridge.environment import LIBRARY
from tests.support.bus import TOPOLOGY


def killer(point: str | None, count: int, how: signal.Signals) -> Callable[[str], None]:
    """Return a hook that sends this process a signal when `point` is reached for the time number `count`."""
    reached: Counter[str] = Counter()

    def reach(name: str) -> None:
        reached[name] += 1
        if name == point and reached[name] == count:
            os.kill(os.getpid(), how)

    return reach


async def serve(arguments: argparse.Namespace) -> None:
    """Run the bridge until the process is killed."""
    client = await Client.connect(arguments.temporal)
    settings = BridgeSettings(TOPOLOGY, task_queue=arguments.task_queue, prefetch=arguments.prefetch)
    watchers = Watchers(
        reached=killer(arguments.crash_at, arguments.crash_count, signal.Signals[arguments.crash_signal])
    )
    async with open_database(arguments.database) as database:
        await run_bridge(Surroundings(arguments.amqp, client, database, lambda: LIBRARY), settings, watchers)


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser()
    for name in ("--amqp", "--database", "--temporal", "--task-queue", "--crash-at"):
        parser.add_argument(name)
    parser.add_argument("--crash-count", type=int, default=1)
    parser.add_argument("--crash-signal", default="SIGKILL")
    parser.add_argument("--prefetch", type=int, default=10)
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()

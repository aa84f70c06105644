"""A relay in a process of its own that kills itself at its crash point: the subject of kill tests."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from bridge.amqp.publisher import open_publisher
from bridge.relay import Relay
from store.database import open_database


async def relay(database_url: str, amqp_url: str) -> None:
    """Publish until the crash point is reached for the second time."""
    count = 0

    def reached(_: str) -> None:
        nonlocal count
        count += 1
        if count == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    async with open_database(database_url) as database, open_publisher(amqp_url) as publisher:
        await Relay(database, publisher, reached=reached).run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(relay(*sys.argv[1:]))

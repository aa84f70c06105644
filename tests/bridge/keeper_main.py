"""A keeper in a process of its own that kills itself when it has delivered something: for the kill tests."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import timedelta

from temporalio.client import Client

from bridge.breaker import Breaker
from bridge.holding import Held
from bridge.keeper import Keeper
from store.database import open_database


async def die(held: Held, about: object) -> None:
    """End as by a power cut."""
    os.kill(os.getpid(), signal.SIGKILL)


async def serve(database_url: str, temporal: str) -> None:
    """Keep until the first delivery."""
    client = await Client.connect(temporal)
    async with open_database(database_url) as database:
        breaker = Breaker("PostgreSQL", timedelta(seconds=1))
        await Keeper(client, database, breaker, die, die).run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))

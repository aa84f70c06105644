"""The process that owns the servers which all tests of a run share, however many workers run them.

`python -m tests.support.server_owner FOLDER` listens on a socket in a folder, starts a server when a worker first asks
for it, and stops all of them when its standard input ends, which is when the run ends in whatever way. Workers come and
go with their tests and own nothing, so one that crashes takes no server from the others.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cli.stack.folder import StateFolder
from tests.support.services import postgres, rabbitmq, s3, temporal

Description = dict[str, Any]
"""What a test has to know of a server, as JSON."""

SOCKET = "servers.sock"
READY = b"ready\n"
SERVERS: Mapping[str, Callable[[StateFolder], AbstractAsyncContextManager[Description]]] = MappingProxyType(
    {"postgres": postgres.serve, "rabbitmq": rabbitmq.serve, "s3": s3.serve, "temporal": temporal.serve}
)


class Owner:
    """Owns the servers of one run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running = AsyncExitStack()
        self._started: dict[str, Description] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def serve(self) -> None:
        """Answer workers until standard input ends; then stop every server."""
        async with self._running:
            await asyncio.start_unix_server(self._answer, self._folder / SOCKET)
            sys.stdout.buffer.write(READY)
            sys.stdout.buffer.flush()
            await asyncio.to_thread(sys.stdin.read)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = (await reader.readline()).decode().strip()
        answer: dict[str, Any]
        try:
            answer = {"server": await self._server(name)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        writer.write(json.dumps(answer).encode())
        await writer.drain()
        writer.close()

    async def _server(self, name: str) -> Description:
        async with self._locks[name]:
            if name not in self._started:
                folder = StateFolder.at(self._folder / name.replace("/", "-"))
                started = SERVERS[name.partition("/")[0]](folder)
                self._started[name] = await self._running.enter_async_context(started)
            return self._started[name]


def main(folder: Path) -> None:
    """Own servers until the run ends, and remove what they kept."""
    try:
        asyncio.run(Owner(folder).serve())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        # The SDK's threads sometimes abort an interpreter that ends in the ordinary way.
        os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""A Temporal server that can be killed and started again, on its port and its file."""

from __future__ import annotations

import json
import os
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.stack import temporal
from cli.stack.folder import StateFolder
from cli.stack.ports import LOOPBACK


@dataclass
class KillableTemporal:
    """The server of a folder."""

    folder: StateFolder
    ports: temporal.TemporalPorts
    running: AsyncExitStack

    @property
    def address(self) -> str:
        """Its address, the same after each restart."""
        return f"{LOOPBACK}:{self.ports.grpc}"

    async def start(self) -> None:
        """Start it with what its file holds."""
        await self.running.enter_async_context(temporal.serving(self.folder, self.ports))

    async def kill_and_restart(self) -> None:
        """End it by SIGKILL and start it again."""
        os.kill(json.loads(self.folder.pid_file("temporal").read_text())["pid"], signal.SIGKILL)
        await self.running.aclose()
        await self.start()


@asynccontextmanager
async def killable_temporal() -> AsyncIterator[KillableTemporal]:
    """Run such a server inside the block."""
    with tempfile.TemporaryDirectory(prefix="saga-kill-") as name:
        ports = temporal.choose_ports(ui=False, preferred=(), preferred_ui=())
        async with AsyncExitStack() as running:
            server = KillableTemporal(StateFolder.at(Path(name)), ports, running)
            await server.start()
            yield server

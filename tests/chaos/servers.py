"""Servers of the suite that it may kill and start again: each comes back at its port with what it has on disk."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cli.stack import postgres, rabbitmq, temporal
from cli.stack.events import Service
from cli.stack.folder import StateFolder
from cli.stack.ports import choose_port
from tests.support.services.rabbitmq import SERVER, Broker


@dataclass
class Server:
    """One server.

    Attributes:
        serve: Runs it inside a block.
        pid_file: Where its process id is, while it runs.
        kill_signal: The signal that ends it without shutdown.
    """

    serve: Callable[[], AbstractAsyncContextManager[Service]]
    pid_file: Path
    kill_signal: signal.Signals = signal.SIGKILL
    _running: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def start(self) -> Service:
        """Start it, and wait until it serves."""
        return await self._running.enter_async_context(self.serve())

    async def kill(self) -> None:
        """End it without shutdown."""
        os.kill(int(json.loads(self.pid_file.read_text())["pid"]), self.kill_signal)
        await self.stop()

    async def start_if_stopped(self) -> None:
        """Start it, if a failed test has left it stopped."""
        if not self.pid_file.exists():
            await self.start()

    async def stop(self) -> None:
        """Stop it, whatever its state."""
        await self._running.aclose()


@dataclass(frozen=True)
class Servers:
    """All three, and how to reach them."""

    broker: Server
    temporal: Server
    postgres: Server
    node: Broker
    temporal_url: str
    postgres_service: Service

    async def start_if_stopped(self) -> None:
        """Start those that a test has left stopped."""
        await asyncio.gather(
            self.broker.start_if_stopped(), self.temporal.start_if_stopped(), self.postgres.start_if_stopped()
        )


@asynccontextmanager
async def own_servers(folder: StateFolder) -> AsyncIterator[Servers]:
    """Run all three inside the block; PostgreSQL is durable: it keeps what it has confirmed."""
    node_ports, postgres_port = rabbitmq.choose_ports(()), choose_port()
    temporal_ports = temporal.choose_ports(ui=False, preferred=(), preferred_ui=())
    broker = Server(lambda: rabbitmq.serving(folder, node_ports, SERVER), folder.pid_file("rabbitmq"))
    temporal_server = Server(lambda: temporal.serving(folder, temporal_ports), folder.pid_file("temporal"))
    # SIGQUIT is PostgreSQL's immediate shutdown: no checkpoint, and no orphaned processes that block the next start.
    database = Server(lambda: postgres.serving(folder, postgres_port), folder.pid_file("postgres"), signal.SIGQUIT)
    try:
        services = await asyncio.gather(broker.start(), temporal_server.start(), database.start())
        node = Broker(services[0], rabbitmq.node_environment(node_ports, folder))
        yield Servers(broker, temporal_server, database, node, services[1].url, services[2])
    finally:
        await asyncio.gather(broker.stop(), temporal_server.stop(), database.stop())
        postgres.forget(folder.path)

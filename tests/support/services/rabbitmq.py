"""RabbitMQ for tests: one private node in a run, a fresh virtual host for each test.

Nodes are of the installed server, or of the one whose folder `SAGA_TEST_RABBITMQ` names: a folder with
`sbin/rabbitmq-server`, as `deploy/rabbitmq-4` and RabbitMQ's own archives unpack to.

Starting RabbitMQ's command line tool costs most of a second, so virtual hosts are made several at a time and handed out
one by one.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.stack import rabbitmq
from cli.stack.events import Happening, Service
from cli.stack.folder import StateFolder
from tests.support.processes import ROOT, passable_folder

INSTALLED = os.environ.get("SAGA_TEST_RABBITMQ", "")
"""The folder of the server that all nodes of a run are of; empty for the installed one."""

FOURTH = ROOT / "build" / "rabbitmq-4"
"""Where `deploy/rabbitmq-4` unpacks."""

_AT_ONCE = 12
_MAKE = """
lists:foreach(fun(V) ->
    rabbit_vhost:add(V, <<"tests">>),
    rabbit_auth_backend_internal:set_permissions(<<"guest">>, V, <<".*">>, <<".*">>, <<".*">>, <<"tests">>)
end, [{names}]),
spawn(fun() -> [rabbit_vhost:delete(V, <<"tests">>) || V <- [{given_back}]] end),
ok.
"""


def server_in(folder: Path) -> Path:
    """Return the program of the server that was unpacked into a folder."""
    return folder / "sbin" / "rabbitmq-server"


SERVER = server_in(Path(INSTALLED).absolute()) if INSTALLED else rabbitmq.SERVER
"""The server of every node that does not ask for another."""


def fourth_server() -> Path | None:
    """Return the program of RabbitMQ 4, or None where it was not fetched."""
    found = server_in(FOURTH)
    return found if found.exists() else None


@dataclass
class Broker:
    """The private node, and the virtual hosts that were made and not yet handed out, or were given back."""

    service: Service
    environment: dict[str, str]
    server: Path = SERVER
    unused: list[str] = field(default_factory=list)
    given_back: list[str] = field(default_factory=list)

    async def fresh_url(self) -> str:
        """Return the URL of a virtual host that is empty and the caller's own."""
        if not self.unused:
            await self._make_more()
        return f"{self.service.url}{self.unused.pop()}"

    def give_back(self, url: str) -> None:
        """Let a virtual host be deleted some time: queues cost the node its time even while nobody uses them."""
        self.given_back.append(url.rpartition("/")[2])

    async def control(self, *arguments: str) -> str:
        """Run `rabbitmqctl` on the node and return what it prints."""
        process = await asyncio.create_subprocess_exec(
            str(self.server.with_name("rabbitmqctl")),
            *("--node", rabbitmq.NODE, *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self.environment,
            cwd=Path(self.environment["HOME"]),
        )
        output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()
        return output.decode()

    async def kill(self) -> None:
        """End the node at once, as a crash does."""
        printed = await self.control("eval", "os:getpid().")
        os.kill(int(printed.strip().strip('"')), signal.SIGKILL)

    async def _make_more(self) -> None:
        names = [f"test-{uuid.uuid4().hex[:12]}" for _ in range(_AT_ONCE)]
        await self.control("eval", _MAKE.format(names=_binaries(names), given_back=_binaries(self.given_back)))
        self.unused += names
        self.given_back.clear()


def _binaries(names: Sequence[str]) -> str:
    return ", ".join(f'<<"{name}">>' for name in names)


@asynccontextmanager
async def serve(folder: StateFolder) -> AsyncIterator[dict[str, Any]]:
    """Run the node that tests share inside the block."""
    ports = rabbitmq.choose_ports(())
    async with rabbitmq.serving(folder, ports, SERVER) as service:
        environment = rabbitmq.node_environment(ports, folder)
        yield {"url": service.url, "shown": service.shown, "environment": environment}
        # Hundreds of virtual hosts take most of a minute to stop in good order.
        await Broker(service, environment).kill()


def broker_of(description: dict[str, Any]) -> Broker:
    """Return the shared node; `await broker.control("list_queues")` asks it what it has."""
    service = Service(description["url"], description["shown"], Happening.STARTED)
    return Broker(service, description["environment"])


@asynccontextmanager
async def own_node(
    folder: StateFolder, ports: rabbitmq.NodePorts | None = None, server: Path = SERVER
) -> AsyncIterator[Broker]:
    """Run a node that a test may kill; with the same folder and ports it carries on."""
    ports = ports or rabbitmq.choose_ports(())
    async with rabbitmq.serving(folder, ports, server) as service:
        yield Broker(service, rabbitmq.node_environment(ports, folder), server)


@contextmanager
def own_folder() -> Iterator[StateFolder]:
    """Have a state folder for the nodes of one test."""
    folder = passable_folder()
    try:
        yield StateFolder.at(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)

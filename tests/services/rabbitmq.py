"""RabbitMQ for tests: one private node in a session, a fresh virtual host for each test.

Starting RabbitMQ's command line tool costs most of a second, so virtual hosts are made several at a time and handed out
one by one.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

from cli.stack import rabbitmq
from cli.stack.events import Service
from cli.stack.folder import StateFolder

_AT_ONCE = 12
_MAKE = """
lists:foreach(fun(I) ->
    V = list_to_binary("test" ++ integer_to_list(I)),
    rabbit_vhost:add(V, <<"tests">>),
    rabbit_auth_backend_internal:set_permissions(<<"guest">>, V, <<".*">>, <<".*">>, <<".*">>, <<"tests">>)
end, lists:seq({first}, {last})).
"""


@dataclass
class Broker:
    """The private node, and the number of virtual hosts that were made and handed out."""

    service: Service
    environment: dict[str, str]
    made: int = 0
    numbers: count[int] = field(default_factory=lambda: count(1))

    async def fresh_url(self) -> str:
        """Return the URL of a virtual host that is empty and the caller's own."""
        number = next(self.numbers)
        if number > self.made:
            await self._make_more()
        return f"{self.service.url}test{number}"

    async def control(self, *arguments: str) -> str:
        """Run `rabbitmqctl` on the node and return what it prints."""
        process = await asyncio.create_subprocess_exec(
            str(rabbitmq.SERVER.with_name("rabbitmqctl")),
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
        await self.control("eval", _MAKE.format(first=self.made + 1, last=self.made + _AT_ONCE))
        self.made += _AT_ONCE


@pytest.fixture(scope="session")
async def rabbitmq_node(stack_folder: StateFolder) -> AsyncIterator[Broker]:
    """The private node; `await rabbitmq_node.control("list_queues")` asks it what it has."""
    ports = rabbitmq.choose_ports(())
    async with rabbitmq.serving(stack_folder, ports) as service:
        broker = Broker(service, rabbitmq.node_environment(ports, stack_folder))
        yield broker
        await broker.kill()  # hundreds of virtual hosts take most of a minute to stop in good order


@asynccontextmanager
async def own_node(
    folder: StateFolder, ports: rabbitmq.NodePorts | None = None, plugins: Sequence[str] = rabbitmq.PLUGINS
) -> AsyncIterator[Broker]:
    """Run a node that a test may kill, or that has other plugins; with the same folder and ports it carries on."""
    ports = ports or rabbitmq.choose_ports(())
    async with rabbitmq.serving(folder, ports, plugins=plugins) as service:
        yield Broker(service, rabbitmq.node_environment(ports, folder))


@contextmanager
def own_folder() -> Iterator[StateFolder]:
    """Have a state folder for the nodes of one test."""
    with tempfile.TemporaryDirectory(prefix="saga-tests-") as name:
        yield StateFolder.at(Path(name))


@pytest.fixture
async def amqp_url(rabbitmq_node: Broker) -> str:
    """The URL of a virtual host that is empty and this test's own."""
    return await rabbitmq_node.fresh_url()

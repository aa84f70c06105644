"""RabbitMQ for tests: one private node in a session, a fresh virtual host for each test.

Starting RabbitMQ's command line tool costs most of a second, so virtual hosts are made several at a time and handed out
one by one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
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

    async def _make_more(self) -> None:
        await self.control("eval", _MAKE.format(first=self.made + 1, last=self.made + _AT_ONCE))
        self.made += _AT_ONCE


@pytest.fixture(scope="session")
async def rabbitmq_node(stack_folder: StateFolder) -> AsyncIterator[Broker]:
    """The private node; `await rabbitmq_node.control("list_queues")` asks it what it has."""
    ports = rabbitmq.choose_ports(())
    async with rabbitmq.serving(stack_folder, ports) as service:
        yield Broker(service, rabbitmq.node_environment(ports, stack_folder))


@pytest.fixture
async def amqp_url(rabbitmq_node: Broker) -> str:
    """The URL of a virtual host that is empty and this test's own."""
    return await rabbitmq_node.fresh_url()

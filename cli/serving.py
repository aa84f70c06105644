"""The composition root of `up`, `demo`, `worker` and `bridge`: resources, worker, bridge.

Who opens, closes: each part is an `async with`, and leaving the block lets it finish what it has in hand.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from temporalio.client import Client

from activities.addresses import parse_networks
from activities.connections import Connection, parse_connections
from activities.outbound import open_client
from activities.resources import Resources
from bridge.amqp.publisher import open_publisher
from bridge.bridge import Bridge, running_bridge
from bridge.outcomes import Outcome
from bridge.settings import BridgeSettings
from cli.secrets import resolve_secret
from cli.settings import Settings
from store.database import open_database
from workers.worker import make_worker
from workflows.temporal.run import LibrarySource

_CONNECTIONS = "connections.yaml"


@asynccontextmanager
async def opened_resources(
    settings: Settings, definitions: Path, database_url: str | None, amqp_url: str | None
) -> AsyncIterator[Resources]:
    """Open what actions use, and close it at the end.

    Args:
        settings: They say which networks may be reached.
        definitions: The folder in which `connections.yaml` is looked for.
        database_url: PostgreSQL; None = actions that need it wait for a worker that has it.
        amqp_url: RabbitMQ; None likewise.

    Raises:
        ServiceUnreachableError: PostgreSQL does not answer. (RabbitMQ is asked with the first event.)
        ConnectionsInvalidError: `connections.yaml` cannot be read.
    """
    async with AsyncExitStack() as parts:
        http = await parts.enter_async_context(open_client(parse_networks(settings.allowed_networks)))
        database = await parts.enter_async_context(open_database(database_url)) if database_url else None
        publisher = await parts.enter_async_context(open_publisher(amqp_url)) if amqp_url else None
        yield Resources(http, database, publisher, _connections(definitions), resolve_secret)


@asynccontextmanager
async def running_worker(
    client: Client, library: LibrarySource, resources: Resources, settings: Settings
) -> AsyncIterator[None]:
    """Run a worker inside the block."""
    async with make_worker(client, library, resources, settings.task_queue):
        yield


@asynccontextmanager
async def bridged(
    amqp_url: str,
    client: Client,
    library: LibrarySource,
    settings: Settings,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> AsyncIterator[Bridge]:
    """Run a bridge inside the block.

    Raises:
        ServiceUnreachableError: RabbitMQ does not answer.
        SagaError: RabbitMQ refuses.
    """
    wanted = BridgeSettings(task_queue=settings.task_queue, prefetch=settings.prefetch)
    async with running_bridge(amqp_url, client, library, wanted, on_outcome=on_outcome) as bridge:
        yield bridge


def _connections(definitions: Path) -> Mapping[str, Connection]:
    file = definitions / _CONNECTIONS
    return parse_connections(file.read_text(encoding="utf-8")) if file.is_file() else {}

"""The composition root of bridges: what a bridge works with, the bridge, and the door for webhooks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import click
from temporalio.client import Client

from bridge.bridge import Bridge, running_bridge
from bridge.metrics import Metrics
from bridge.outcomes import Outcome
from bridge.surroundings import Surroundings, Watchers
from cli.archives import storage_at
from cli.bus import BusFiles, bridge_settings
from cli.health import Check, Health, needs_postgresql, needs_temporal
from cli.secrets import resolve_secret
from cli.settings import Settings
from store.database import Database
from workflows.temporal.run import LibrarySource


@dataclass(frozen=True)
class Services:
    """The services that a bridge works with."""

    amqp_url: str
    client: Client
    database: Database


@asynccontextmanager
async def bridged(
    services: Services,
    library: LibrarySource,
    settings: Settings,
    bus: Callable[[], BusFiles],
    metrics: Metrics,
    health: Health,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> AsyncIterator[Bridge]:
    """Run a bridge inside the block, and the door for webhooks where a port is set.

    Args:
        services: RabbitMQ, Temporal, PostgreSQL.
        library: Gives the definitions whose triggers count now.
        settings: How to consume, and where to listen.
        bus: Gives what is said about events now; the topology is that of the start.
        metrics: Counts and shows.
        health: Is told what to ask when somebody wants to know whether the bridge is ready.
        on_outcome: Told what became of each event.

    Raises:
        ServiceUnreachableError: RabbitMQ or PostgreSQL does not answer.
        SagaError: RabbitMQ refuses, or the port is taken.
    """
    around = Surroundings(
        services.amqp_url,
        services.client,
        services.database,
        library,
        lambda event: bus().schemas.check(event),  # noqa: PLW0108 - the schemas of that moment
        metrics,
        storage_at(None, settings),
    )
    wanted = bridge_settings(settings, bus().topology)
    async with AsyncExitStack() as parts:
        bridge = await parts.enter_async_context(running_bridge(around, wanted, Watchers(on_outcome)))
        health.watch(_checks(services, bridge))
        if settings.http_port is not None:
            await parts.enter_async_context(_door(services.database, settings, bus, health))
        yield bridge


def _checks(services: Services, bridge: Bridge) -> Mapping[str, Check]:
    async def consumes() -> bool:
        return bridge.is_consuming and bridge.breakers["rabbitmq"] == "closed"

    return {
        "rabbitmq": consumes,
        "temporal": needs_temporal(services.client),
        "postgresql": needs_postgresql(services.database),
    }


@asynccontextmanager
async def _door(
    database: Database, settings: Settings, bus: Callable[[], BusFiles], health: Health
) -> AsyncIterator[None]:
    """Take webhooks inside the block."""
    from bridge.http.app import make_app  # noqa: PLC0415  # half a second for those who take webhooks
    from bridge.http.intake import OutboxIntake  # noqa: PLC0415  # the same
    from bridge.http.server import serving  # noqa: PLC0415  # the same

    app = make_app(
        lambda: bus().sources,
        OutboxIntake(database),
        resolve=resolve_secret,
        clock=lambda: datetime.now(UTC),
        ready=health.parts,
    )
    async with serving(app, settings.http_host, settings.http_port or 0) as port:
        click.echo(f"Webhooks are taken at http://{settings.http_host}:{port}/webhooks/SOURCE.", err=True)
        yield

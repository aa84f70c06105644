"""`saga bridge`: one process between RabbitMQ and Temporal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from temporalio.client import Plugin

from bridge.metrics import Metrics
from cli import connections, loop
from cli.bridging import Services, bridged
from cli.bus import BusFiles, read_bus_files
from cli.definitions import default_folder, definitions_option, load_library
from cli.health import Health
from cli.logs import log_to_stderr
from cli.metrics import serving_metrics
from cli.patience import patiently
from cli.rollouts import following_rollouts
from cli.settings import Settings, load_settings
from cli.tracing import traced
from store.database import open_database
from workflows.language.library import Library


@click.command("bridge")
@definitions_option
def command(paths: tuple[Path, ...]) -> None:
    """Turn events from RabbitMQ into runs and signals, until Ctrl-C or SIGTERM.

    Temporal is found by TEMPORAL_ADDRESS, RabbitMQ by SAGA_AMQP_URL, PostgreSQL by SAGA_DATABASE_URL; without them,
    where `saga up` runs in this folder. What does not answer yet is waited for. Several bridges share the work. With
    SAGA_HTTP_PORT it takes webhooks too, with SAGA_METRICS_PORT it shows metrics to Prometheus.

    \b
    Examples:
      saga bridge
      SAGA_AMQP_URL=amqp://saga@rabbit-1/,amqp://saga@rabbit-2/ SAGA_HTTP_PORT=8080 saga bridge
    """
    settings = load_settings()
    log_to_stderr(settings)
    library, bus = load_library(paths), read_bus_files(paths[0] if paths else default_folder())
    health = Health()
    with traced() as plugins, serving_metrics(settings.metrics_host, settings.metrics_port, health) as metrics:
        loop.serve(_serve(settings, library, bus, metrics, health, plugins))


async def _serve(
    settings: Settings, library: Library, bus: BusFiles, metrics: Metrics, health: Health, plugins: Sequence[Plugin]
) -> None:
    broker, store = connections.require_broker(settings), connections.require_database(settings)
    async with (
        connections.temporal_to_serve(settings, plugins) as client,
        patiently(lambda: open_database(store)) as database,
        following_rollouts(lambda: library, database) as rolled,
        patiently(
            lambda: bridged(Services(broker, client, database), rolled, settings, lambda: bus, metrics, health)
        ) as bridge,
    ):
        click.echo(f"Bridge consumes events for task queue {settings.task_queue!r}.", err=True)
        await bridge.ended()

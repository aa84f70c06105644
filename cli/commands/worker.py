"""`saga worker`: one process that runs workflows and actions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import click
from temporalio.client import Plugin

from bridge.metrics import Metrics
from cli import connections, loop
from cli.bus import read_bus_files
from cli.definitions import default_folder, definitions_option, load_library
from cli.health import Health
from cli.logs import log_to_stderr
from cli.metrics import serving_metrics
from cli.output import counted
from cli.patience import patiently
from cli.rollouts import following_rollouts
from cli.serving import opened_resources, running_worker
from cli.settings import Settings, amqp_url, database_url, load_settings
from cli.tracing import traced
from workflows.language.library import Library


@click.command("worker")
@definitions_option
def command(paths: tuple[Path, ...]) -> None:
    """Run workflows and actions against given services, until Ctrl-C or SIGTERM.

    Temporal is found by TEMPORAL_ADDRESS (and the other settings of Temporal's own command line), PostgreSQL by
    SAGA_DATABASE_URL, RabbitMQ by SAGA_AMQP_URL; without them, where `saga up` runs in this folder. Without a
    database or a broker, actions that need one wait for a worker that has it. What does not answer yet is waited
    for. With SAGA_METRICS_PORT it shows metrics to Prometheus.

    \b
    Examples:
      saga worker
      TEMPORAL_ADDRESS=temporal:7233 SAGA_DATABASE_URL=postgresql://saga@db/saga saga worker
    """
    settings = load_settings()
    log_to_stderr(settings)
    library, folder = load_library(paths), paths[0] if paths else default_folder()
    health = Health()
    with traced() as plugins, serving_metrics(settings.metrics_host, settings.metrics_port, health) as metrics:
        loop.serve(_serve(settings, library, folder, metrics, health, plugins))


async def _serve(
    settings: Settings, library: Library, definitions: Path, metrics: Metrics, health: Health, plugins: Sequence[Plugin]
) -> None:
    bus = read_bus_files(definitions)
    database, broker = database_url(settings), amqp_url(settings)
    async with (
        connections.temporal_to_serve(settings, plugins) as client,
        patiently(lambda: opened_resources(settings, definitions, database, broker, bus, metrics)) as resources,
        following_rollouts(lambda: library, resources.database) as rolled,
        running_worker(client, rolled, resources, settings, metrics, health),
    ):
        count = counted(len(library.all()), "version")
        click.echo(f"Worker on task queue {settings.task_queue!r}: {count} of definitions.", err=True)
        await asyncio.Event().wait()

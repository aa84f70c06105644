"""`saga bridge`: one process between RabbitMQ and Temporal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from temporalio.client import Plugin

from cli import connections, loop
from cli.definitions import definitions_option, load_library
from cli.logs import log_to_stderr
from cli.serving import bridged
from cli.settings import Settings, load_settings
from cli.tracing import traced
from workflows.language.library import Library


@click.command("bridge")
@definitions_option
def command(paths: tuple[Path, ...]) -> None:
    """Turn events from RabbitMQ into runs and signals, until Ctrl-C or SIGTERM.

    Temporal is found by TEMPORAL_ADDRESS, RabbitMQ by SAGA_AMQP_URL; without them, where `saga up` runs in this folder.
    Several bridges share the work.

    \b
    Examples:
      saga bridge
      TEMPORAL_ADDRESS=temporal:7233 SAGA_AMQP_URL=amqp://saga@broker/ saga bridge
    """
    settings = load_settings()
    log_to_stderr(settings)
    library = load_library(paths)
    with traced() as plugins:
        loop.serve(_serve(settings, library, plugins))


async def _serve(settings: Settings, library: Library, plugins: Sequence[Plugin]) -> None:
    url = connections.require_broker(settings)
    async with (
        connections.temporal(settings, plugins) as client,
        bridged(url, client, lambda: library, settings) as bridge,
    ):
        click.echo(f"Bridge consumes events for task queue {settings.task_queue!r}.", err=True)
        await bridge.ended()

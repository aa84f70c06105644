"""`saga signal`: tells a run something."""

from __future__ import annotations

import click

from cli import connections, loop
from cli.input import JSON
from cli.settings import Settings, load_settings
from contracts.json import Json
from workflows.temporal.starting import signal_run


@click.command("signal")
@click.argument("run", metavar="RUN")
@click.argument("name", metavar="NAME")
@click.option("--data", type=JSON, help="What the signal carries. [default: null]")
def command(run: str, name: str, data: Json) -> None:
    """Send a signal to a run.

    A signal that comes before its step waits for it is kept.

    \b
    Examples:
      saga signal order-fulfilment/order-17 payment --data '{"amount": 42}'
      saga signal order-fulfilment/order-17 payment --data @payment.json
    """
    loop.run(_signal(load_settings(), run, name, data))
    click.echo(f"Sent {name!r} to {run}.")


async def _signal(settings: Settings, run: str, name: str, data: Json) -> None:
    async with connections.temporal(settings) as client:
        await signal_run(client, run, name, data)

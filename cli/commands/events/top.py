"""`saga events top`: rates, lag, queues and bridges, live."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import click
from rich.console import Console
from rich.live import Live

from bridge.amqp.sharing import sharing
from bridge.depths import Depths, queues_of
from cli import connections, loop
from cli.logs import log_nothing
from cli.output import is_terminal, print_json
from cli.settings import load_settings
from cli.top import Look, drawn, take_look, to_json
from cli.topology import read_topology
from store.database import Database, open_database

_WIDTH = 100
"""Where there is no terminal that has a width of its own."""


@click.command("top")
@click.option("--once", is_flag=True, help="Print one look and end.")
@click.option("--json", "as_json", is_flag=True, help="Print one look as a JSON document and end.")
@click.option("--every", "seconds", type=click.FloatRange(0.5, 3600), default=2.0, help="Seconds between two looks.")
def command(once: bool, as_json: bool, seconds: float) -> None:
    """Show how events flow: rates by type, lag, queues, dead letters, bridges and their breakers.

    Until Ctrl-C; where the output is no terminal, one look. What was recorded in the last minute is counted.

    \b
    Examples:
      saga events top
      saga events top --once
      saga events top --json | jq .lag_seconds
    """
    log_nothing()
    if as_json or once or not is_terminal():
        look = loop.run(_one_look())
        print_json(to_json(look)) if as_json else _console().print(drawn(look))
    else:
        loop.serve(_live(seconds))


async def _one_look() -> Look:
    async with _opened() as (database, depths):
        return await take_look(database, depths)


async def _live(seconds: float) -> None:
    async with _opened() as (database, depths):
        with Live(console=_console(), auto_refresh=False, screen=True) as live:
            while True:
                live.update(drawn(await take_look(database, depths)), refresh=True)
                await asyncio.sleep(seconds)


@asynccontextmanager
async def _opened() -> AsyncIterator[tuple[Database, Depths]]:
    settings, topology = load_settings(), read_topology()
    queues = (*queues_of(topology), *(queue.name for queue in topology.own.queues))
    async with (
        open_database(connections.require_database(settings)) as database,
        sharing(connections.require_broker(settings), "saga events top") as shared,
    ):
        yield database, Depths(shared, lambda: queues)


def _console() -> Console:
    return Console() if is_terminal() else Console(width=_WIDTH)

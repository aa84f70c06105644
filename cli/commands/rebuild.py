"""`saga rebuild`: what PostgreSQL knows of runs, made again from Temporal's histories."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import click
from temporalio.client import Client

from cli import connections, loop
from cli.definitions import definitions_option, load_library
from cli.exits import BadInputError, Exit, ReportedError
from cli.logs import log_to_stderr
from cli.moments import MOMENT
from cli.output import clean, counted, print_json
from cli.settings import Settings, load_settings
from store.database import open_database
from workers.rebuilding import OURS, Rebuilt, Wanted, listed, rebuild, since
from workflows.language.library import Library
from workflows.temporal.classes import workflow_classes
from workflows.temporal.finding import latest_run


@click.command("rebuild")
@click.argument("run", metavar="[RUN]", required=False)
@click.option("--all", "every", is_flag=True, help="All runs that Temporal still has.")
@click.option("--since", "moment", type=MOMENT, help="Runs that started or ended since then, or still run.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
@definitions_option
def command(run: str | None, every: bool, moment: datetime | None, as_json: bool, paths: tuple[Path, ...]) -> None:
    """Make the rows about runs in PostgreSQL again, from Temporal's histories.

    Workers write them as runs go on, and mend what was left out by themselves: this is for a database that was lost or
    restored. It changes nothing in Temporal, may be repeated, and runs may go on meanwhile. RUN is a workflow id or a
    run id.

    \b
    Examples:
      saga rebuild order-fulfilment/order-17
      saga rebuild --since 2h
      saga rebuild --all
    """
    if [run is not None, every, moment is not None].count(True) != 1:
        raise BadInputError("Say what to rebuild: one RUN, --since TIME, or --all.")
    settings = load_settings()
    log_to_stderr(settings)
    found = loop.run(_rebuild(settings, load_library(paths), run, OURS if moment is None else since(moment)))
    if as_json:
        refused = {refusal.workflow_id: refusal.reason for refusal in found.refused}
        print_json({"runs": found.runs, "refused": dict(refused), "missing": list(found.missing)})
    else:
        _show(found)
    if found.refused:
        raise ReportedError(Exit.RUN_FAILED)


async def _rebuild(settings: Settings, library: Library, run: str | None, query: str) -> Rebuilt:
    url = connections.require_database(settings)
    async with connections.temporal(settings) as client, open_database(url) as database:
        wanted = await listed(client, query) if run is None else await _one(client, run)
        with _progress(len(wanted)) as told:
            found = await rebuild(client, database, workflow_classes(lambda: library), wanted, told)
    if run is not None and not found.runs and not found.refused:
        raise BadInputError(f"{run} is no run of a definition: it was refused at its start, or is another program's.")
    return found


async def _one(client: Client, run: str) -> Wanted:
    """Return the workflow id that RUN means.

    Raises:
        BadInputError: Temporal knows neither a workflow id nor a run id of this name.
    """
    quoted = run.replace("'", "''")
    by_run = [found.id async for found in client.list_workflows(f"RunId = '{quoted}'")]
    identity = by_run[0] if by_run else run
    if not by_run and not await _is_known(client, run):
        raise BadInputError(
            f"Temporal knows no run {run!r}: `saga list` shows those that it has; what is older than its retention is "
            "gone there."
        )
    return {identity: ()}


async def _is_known(client: Client, workflow_id: str) -> bool:
    return await latest_run(client, workflow_id) is not None


def _show(found: Rebuilt) -> None:
    for refusal in found.refused:
        click.echo(f"{clean(refusal.workflow_id)}: {clean(refusal.reason)}", err=True)
    refused = f"; {counted(len(found.refused), 'run')} could not be replayed" if found.refused else ""
    missing = f"; {len(found.missing)} had gone from Temporal meanwhile" if found.missing else ""
    click.echo(f"{counted(found.runs, 'run')} rebuilt{refused}{missing}.")


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal."""
    from rich.console import Console  # noqa: PLC0415  # only who rebuilds pays for it
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    console = Console(stderr=True)
    columns = (TextColumn("Rebuilding"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda done: bar.update(task, completed=done)

"""`saga stuck`: the runs that do not get on, with the cause of each and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import cast

import click

from cli import connections, loop
from cli.definitions import definitions_option, load_library
from cli.logs import log_nothing
from cli.output import clean, coloured, counted, print_json
from cli.settings import Settings, database_url, load_settings
from contracts.json import Json
from store.database import open_database
from workers.detector import MOST_RUNS, find_stuck, find_terminated, limits_of
from workers.stuck import Stuck
from workflows.language.library import Library

_NO_DATABASE = "Without SAGA_DATABASE_URL nobody knows how long runs may take: only Temporal was asked."


@click.command("stuck")
@definitions_option
@click.option(
    "--limit", default=MOST_RUNS, show_default=True, type=click.IntRange(1, 5_000), help="Open runs looked at."
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def command(paths: tuple[Path, ...], limit: int, as_json: bool) -> None:
    """Show the runs that do not get on: why, and what to do.

    A workflow task that fails, a task queue that no worker asks for work, an action that is tried again and again, a
    run that has taken longer than the `sla` of its definition says, or, without one, than three times what 99 % of its
    ended runs took; and a run that was terminated and has not gone on since. A run that waits for people or for a
    moment is not stuck.

    \b
    Examples:
      saga stuck
      saga stuck --json | jq -r '.[] | select(.cause == "overdue") | .workflow_id'
    """
    settings = load_settings()
    found = loop.run(_find(settings, load_library(paths), limit))
    if as_json:
        print_json([_document(stuck) for stuck in found])
    else:
        for line in _lines(found):
            click.echo(line)
    if database_url(settings) is None:
        click.echo(_NO_DATABASE, err=True)


async def _find(settings: Settings, library: Library, limit: int) -> list[Stuck]:
    log_nothing()
    url = database_url(settings)
    async with AsyncExitStack() as parts:
        client = await parts.enter_async_context(connections.temporal(settings))
        database = await parts.enter_async_context(open_database(url, pool_size=1)) if url else None
        found = await find_stuck(client, database, limits_of(library), limit, settings.task_queue)
        return [*found, *await find_terminated(client, limit)]


def _lines(found: Sequence[Stuck]) -> Iterator[str]:
    """Sentences do not fit into columns: each finding is a paragraph."""
    for stuck in found:
        about = f"{stuck.workflow_id}{f'  {stuck.step}' if stuck.step else ''}" if stuck.workflow_id else "(all runs)"
        version = f"  {stuck.version}" if stuck.version else ""
        yield f"{click.style(clean(about), bold=True)}{version}  {click.style(stuck.cause, fg='red')}"
        yield f"  {clean(stuck.what)}"
        yield f"  {click.style('->', fg='cyan')} {clean(stuck.cure)}"
    yield f"{counted(len(found), 'reason')} why runs do not get on." if found else coloured("ok") + ": no run is stuck."


def _document(stuck: Stuck) -> dict[str, Json]:
    return {
        "cause": cast("str", stuck.cause),
        "workflow_id": stuck.workflow_id or None,
        "run_id": stuck.run_id or None,
        "definition": stuck.definition or None,
        "version": stuck.version or None,
        "step": stuck.step,
        "since": None if stuck.since is None else stuck.since.isoformat(),
        "what": stuck.what,
        "cure": stuck.cure,
    }

"""`saga run`: starts a run and, unless told otherwise, watches it to its end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from cli import connections, loop
from cli.commands.watch import report, watched
from cli.definitions import definitions_option, load_library, resolve
from cli.input import JSON
from cli.output import print_json
from cli.rollouts import rolled_out
from cli.runs import handle_of
from cli.settings import Settings, database_url, load_settings
from contracts.json import Json
from workflows.language.library import Library
from workflows.language.triggers import Definition
from workflows.temporal.starting import Started, start_request, start_run


@dataclass(frozen=True)
class _Choice:
    wait: bool
    as_json: bool


@dataclass(frozen=True)
class _Wanted:
    name: str
    input: Json
    key: str | None


@click.command("run")
@click.argument("name", metavar="DEFINITION[@VERSION]")
@click.option("--input", "-i", "document", type=JSON, help="Input of the run. [default: {}]")
@click.option("--key", "-k", help="Business key: a second run with the same key is refused while the first one runs.")
@click.option("--wait/--detach", default=True, help="Watch the run to its end (default), or only start it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document at the end instead of progress.")
@definitions_option
def command(  # one parameter an option
    *, name: str, document: Json, key: str | None, wait: bool, as_json: bool, paths: tuple[Path, ...]
) -> None:
    """Start a run and watch it to its end.

    The exit code is 0 when the run did what it was for and 1 when it failed; Ctrl-C stops watching, not the run.

    \b
    Examples:
      saga run agent-creation --input '{"name": "Ada", "type": "researcher"}'
      saga run order-fulfilment@1.0.0 --input @order.json --key order-17
      echo '{}' | saga run nightly --input - --detach --json
    """
    library = load_library(paths)
    resolve(library, name)
    wanted = _Wanted(name, {} if document is None else document, key)
    loop.run(_run(load_settings(), library, wanted, _Choice(wait, as_json)))


async def _run(settings: Settings, library: Library, wanted: _Wanted, choice: _Choice) -> None:
    if "@" not in wanted.name:
        library = await rolled_out(library.only(wanted.name), database_url(settings))
    request = start_request(library, wanted.name, wanted.input, key=wanted.key)
    assert request is not None
    async with connections.temporal(settings) as client:
        started = await start_run(client, settings.task_queue, request)
        if not choice.wait:
            _show_started(started, request.definition, choice.as_json)
            return
        handle = handle_of(client, started.workflow_id)
        end = await watched(handle, quiet=choice.as_json)
        report(end, started.workflow_id, started.run_id if choice.as_json else None)


def _show_started(started: Started, definition: Definition, as_json: bool) -> None:
    if as_json:
        print_json({"workflow_id": started.workflow_id, "run_id": started.run_id, "started": started.started})
        return
    verb = "Started" if started.started else "Was already running:"
    click.echo(f"{verb} {click.style(started.workflow_id, bold=True)} ({definition.id} {definition.version})")
    click.echo(f"  saga watch {started.workflow_id}")

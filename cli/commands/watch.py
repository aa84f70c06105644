"""`saga watch`: the steps of a run as they happen, and how it ends."""

from __future__ import annotations

import json

import click

from cli import connections, loop
from cli.exits import Exit, ReportedError
from cli.output import coloured, print_json
from cli.problems import problem_lines
from cli.progress import live
from cli.runs import Ended, Handle, ended, follow, handle_of
from cli.settings import Settings, load_settings


@click.command("watch")
@click.argument("run", metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document at the end instead of progress.")
def command(run: str, as_json: bool) -> None:
    """Watch a run to its end.

    RUN is a workflow id, as `saga list` shows it. The exit code is 0 when the run did what it was for and 1 when it
    failed; Ctrl-C stops watching, not the run.

    \b
    Examples:
      saga watch agent-creation/ada
      saga watch order-fulfilment/order-17 --json
    """
    loop.run(_watch(load_settings(), run, as_json))


async def _watch(settings: Settings, run: str, as_json: bool) -> None:
    async with connections.temporal(settings) as client:
        handle = handle_of(client, run)
        run_id = (await handle.describe()).run_id
        report(await watched(handle, quiet=as_json), handle.id, run_id if as_json else None)


async def watched(handle: Handle, *, quiet: bool) -> Ended:
    """Wait for the end of a run, with live progress unless `quiet`."""
    if quiet:
        return await ended(handle)
    with live(handle.id) as progress:
        return await follow(handle, progress)


def report(end: Ended, workflow_id: str, run_id: str | None) -> None:
    """Print how a run ended, for people or (where a run id is given) as JSON.

    Raises:
        ReportedError: It failed; what was printed says why.
    """
    if run_id is None:
        _print_end(end, workflow_id)
    else:
        print_json(end.to_json(workflow_id, run_id))
    if not end.is_good:
        raise ReportedError(Exit.RUN_FAILED)


def _print_end(end: Ended, workflow_id: str) -> None:
    click.echo(f"{click.style(workflow_id, bold=True)} {coloured(end.status)}")
    if end.problem is None:
        click.echo(json.dumps(end.output, indent=2, ensure_ascii=False))
        return
    for line in problem_lines(end.problem, end.step):
        click.echo(line)

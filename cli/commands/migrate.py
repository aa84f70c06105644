"""`saga migrate`: moves a waiting run to another version of its definition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
from temporalio.client import WorkflowUpdateFailedError

from cli import connections, loop
from cli.exits import BadInputError, Exit
from cli.output import clean, print_json
from cli.runs import Handle, ask, handle_of, problem_of
from cli.settings import Settings, load_settings
from contracts.names import QUERY_MIGRATION, UPDATE_MIGRATE

Outlook = Mapping[str, Any]


@click.command("migrate")
@click.argument("run", metavar="RUN")
@click.option("--to", "version", required=True, metavar="VERSION", help="The version that it is to follow.")
@click.option("--dry-run", is_flag=True, help="Say whether it could move, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def command(run: str, version: str, dry_run: bool, as_json: bool) -> int:
    """Move a waiting run to another version of its definition.

    It moves if its state fits: it waits for people, messages or timers, every place at which it stands is there, all
    that it has to undo can be undone, and no step to come needs one that it has gone past. Else it says exactly what
    does not fit, and which versions would. It goes on in a new execution, with its state. The exit code is 1 if it
    does not fit. A worker must run.

    \b
    Examples:
      saga migrate order-fulfilment/order-17 --to 1.1.0 --dry-run
      saga migrate order-fulfilment/order-17 --to 1.1.0
    """
    outlook = loop.run(_migrate(load_settings(), run, version, dry_run))
    wanted = _version(outlook, version)
    fits = not wanted["misfits"]
    if as_json:
        print_json({**outlook, "run": run, "to": version, "fits": fits, "moved": fits and not dry_run})
    else:
        _print(run, outlook, wanted, dry_run)
    return Exit.OK if fits else Exit.RUN_FAILED


async def _migrate(settings: Settings, run: str, version: str, dry_run: bool) -> Outlook:
    async with connections.temporal(settings) as client:
        handle = handle_of(client, run)
        outlook: Outlook = await ask(handle, QUERY_MIGRATION)
        if "versions" not in outlook:
            raise BadInputError(f"{run} was refused at its start: {outlook.get('detail', '')}")
        wanted = _version(outlook, version)
        if not dry_run and not wanted["misfits"]:
            await _move(handle, wanted["pin"])
        return outlook


async def _move(handle: Handle, pin: str) -> None:
    try:
        await handle.execute_update(UPDATE_MIGRATE, {"to": pin})
    except WorkflowUpdateFailedError as error:
        problem = problem_of(error.cause)
        raise BadInputError(f"{problem.title}: {problem.detail}") from error


def _version(outlook: Outlook, version: str) -> Mapping[str, Any]:
    for each in outlook["versions"]:
        if each["version"] == version:
            found: Mapping[str, Any] = each
            return found
    loaded = ", ".join(each["version"] for each in outlook["versions"]) or "none"
    raise BadInputError(f"The worker has no {outlook['definition']} {version}. It has: {loaded}.")


def _print(run: str, outlook: Outlook, wanted: Mapping[str, Any], dry_run: bool) -> None:
    name = click.style(run, bold=True)
    way = f"{outlook['follows']} -> {wanted['version']}"
    if not wanted["misfits"]:
        click.echo(f"{name} {'could move' if dry_run else 'moved'}: {way}.")
        return
    click.echo(f"{name} cannot move: {way}.")
    for misfit in wanted["misfits"]:
        click.echo(f"  {misfit['path'] + ': ' if misfit['path'] else ''}{clean(misfit['reason'])}")
    fitting = [each["version"] for each in outlook["versions"] if not each["misfits"]]
    click.echo(f"It could move to: {', '.join(fitting) or 'no version that is loaded'}.")

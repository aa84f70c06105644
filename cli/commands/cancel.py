"""`saga cancel`: asks a run to stop."""

from __future__ import annotations

import click

from cli import connections, loop
from cli.commands.watch import watched
from cli.exits import Exit, ReportedError
from cli.output import coloured
from cli.problems import problem_lines
from cli.runs import Ended, handle_of
from cli.settings import Settings, load_settings
from workflows.temporal.starting import cancel_run


@click.command("cancel")
@click.argument("run", metavar="RUN")
@click.option("--reason", default="", help="Why; kept with the run.")
@click.option("--wait", is_flag=True, help="Wait until the run has ended.")
def command(run: str, reason: str, wait: bool) -> None:
    """Ask a run to stop and to undo what it did.

    With --wait the exit code is 1 when something could not be undone.

    \b
    Examples:
      saga cancel order-fulfilment/order-17 --reason "the customer called"
      saga cancel order-fulfilment/order-17 --wait
    """
    end = loop.run(_cancel(load_settings(), run, reason, wait))
    if end is None:
        click.echo(f"Asked {run} to stop. `saga watch {run}` shows how it undoes its steps.")
    else:
        _report(run, end)


async def _cancel(settings: Settings, run: str, reason: str, wait: bool) -> Ended | None:
    async with connections.temporal(settings) as client:
        await cancel_run(client, run, reason)
        return await watched(handle_of(client, run), quiet=False) if wait else None


def _report(run: str, end: Ended) -> None:
    click.echo(f"{click.style(run, bold=True)} {coloured(end.status)}")
    for line in problem_lines(end.problem) if end.problem else ():
        click.echo(line)
    if end.status == "rollback-incomplete":
        raise ReportedError(Exit.RUN_FAILED)

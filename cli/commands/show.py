"""`saga show`: one run, as it is now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click
from temporalio.client import WorkflowExecution

from cli import connections, loop
from cli.output import clean, coloured, print_json, print_table, when
from cli.problems import problem_lines
from cli.progress import Names, State, Step, steps_of
from cli.runs import PAUSED, Sight, handle_of, status_of
from cli.settings import Settings, load_settings
from workers.looking import look_at_run
from workers.stuck import Stuck, stuck_run

_NO_WORKER = "No worker answers, so the steps cannot be shown: start one with `saga worker` or `saga up`."


@dataclass(frozen=True)
class Shown:
    """A run as Temporal and a worker describe it; `trouble` says why no worker can, where that is known."""

    execution: WorkflowExecution
    state: State | None
    names: Names
    trouble: Sequence[Stuck] = ()


@click.command("show")
@click.argument("run", metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="Print the whole state as a JSON document.")
def command(run: str, as_json: bool) -> None:
    """Show one run: its steps, what it waits for, how it ended.

    \b
    Examples:
      saga show agent-creation/ada
      saga show agent-creation/ada --json | jq .vars
    """
    shown = loop.run(_fetch(load_settings(), run))
    if as_json:
        print_json(_document(shown))
    else:
        _print(shown)


async def _fetch(settings: Settings, run: str) -> Shown:
    async with connections.temporal(settings) as client:
        sight = Sight(handle_of(client, run))
        execution = await sight.handle.describe()
        state = await sight.look()
        look = await look_at_run(client, execution.id, execution.run_id) if state is None else None
        return Shown(execution, state, sight.names or {}, [] if look is None else list(stuck_run(look)))


def _document(shown: Shown) -> dict[str, Any]:
    document: dict[str, Any] = {
        "workflow_id": shown.execution.id,
        "status": status_of(shown.execution),
        "state": None if shown.state is None else dict(shown.state),
    }
    return document | ({"trouble": [each.what for each in shown.trouble]} if shown.trouble else {})


def _print(shown: Shown) -> None:
    execution, state, names = shown.execution, shown.state, shown.names
    click.echo(f"{click.style(execution.id, bold=True)}  {coloured(status_of(execution))}")
    click.echo(f"started {when(int(execution.start_time.timestamp() * 1000))}")
    if state is None:
        for trouble in shown.trouble:
            click.echo(f"{clean(trouble.what)}\n  {click.style('->', fg='cyan')} {clean(trouble.cure)}")
        if not shown.trouble:
            click.echo(f"The run {PAUSED}" if status_of(execution) == "paused" else _NO_WORKER)
        return
    click.echo(f"version {state['version']}\n")
    _print_steps(steps_of(state, names), names)
    for wait in state["waits"]:
        if wait["title"]:
            click.echo(f"\n{clean(wait['title'])}  (saga approve {execution.id} {wait['path']})")
    if state.get("refused"):
        _print_refused(state)
    if problem := state.get("problem") or state.get("recovered"):
        click.echo()
        for line in problem_lines(problem):
            click.echo(line)


def _print_refused(state: State) -> None:
    latest = state["refused"][-1]
    count = state["refused_count"]
    click.echo(f"\n{count} {'message' if count == 1 else 'messages'} could not be taken; the latest, {latest['at']}:")
    click.echo(f"  {clean(latest['name'])}: {clean(latest['reason'])}")


def _print_steps(steps: Sequence[Step], names: Names) -> None:
    headings = ("STEP", *(("NAME",) if names else ()), "STATUS", "STARTED", "TOOK", "DETAIL")
    rows = [(*_named(step, names), step.word, when(step.started), step.took, step.detail) for step in steps]
    print_table(headings, rows)


def _named(step: Step, names: Names) -> tuple[str, ...]:
    return (step.name, step.title) if names else (step.name,)

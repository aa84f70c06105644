"""`saga state`: what a run had done at any of its events, from PostgreSQL."""

from __future__ import annotations

import json
from itertools import starmap
from pathlib import Path
from typing import Any

import click

from cli import connections, loop
from cli.definitions import definitions_option, load_library
from cli.output import clean, coloured, print_json, print_table, shortened, when
from cli.past import Document, changes, require_run, state_at
from cli.problems import problem_lines
from cli.progress import steps_of
from cli.settings import Settings, load_settings
from contracts.json import Json
from store.database import open_database
from store.run_states import StoredRun
from workflows.language.library import Library

_VALUE_WIDTH = 60


@click.command("state")
@click.argument("run", metavar="RUN")
@click.option("--at", "number", type=click.IntRange(1), metavar="N", help="After event N.  [default: the latest]")
@click.option(
    "--diff", "between", type=(click.IntRange(1), click.IntRange(1)), metavar="N M", help="What changed from N to M."
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
@definitions_option
def command(
    run: str, number: int | None, between: tuple[int, int] | None, as_json: bool, paths: tuple[Path, ...]
) -> None:
    """Show the state of a run after any of its events, as PostgreSQL has it.

    RUN is a workflow id, as `saga list` shows it (the latest run that had it), or a run id. It needs no worker, and
    shows runs that Temporal has forgotten too. A difference names what changed by JSON pointers; long values are cut,
    and whole with --json.

    \b
    Examples:
      saga state order-fulfilment/order-17
      saga state order-fulfilment/order-17 --at 3
      saga state order-fulfilment/order-17 --diff 3 5
    """
    settings, library = load_settings(), load_library(paths)
    if between is not None:
        found, before, after = loop.run(_both(settings, library, run, between))
        _show_changes(found, before, after, between, as_json)
        return
    found, at, state = loop.run(_one(settings, library, run, number))
    if as_json:
        print_json({**_about(found), "event": at, "state": state})
    else:
        _show(found, at, state)


async def _one(settings: Settings, library: Library, name: str, number: int | None) -> tuple[StoredRun, int, Document]:
    async with open_database(connections.require_database(settings)) as database:
        run = await require_run(database, name)
        at = run.sequence if number is None else number
        return run, at, await state_at(database, library, run, at)


async def _both(
    settings: Settings, library: Library, name: str, between: tuple[int, int]
) -> tuple[StoredRun, Document, Document]:
    async with open_database(connections.require_database(settings)) as database:
        run = await require_run(database, name)
        before, after = [await state_at(database, library, run, number) for number in between]
        return run, before, after


def _about(run: StoredRun) -> dict[str, Json]:
    return {
        "workflow_id": run.workflow_id,
        "run_id": run.id,
        "definition": run.definition,
        "version": run.version,
        "events": run.sequence,
    }


def _show(run: StoredRun, at: int, state: Document) -> None:
    click.echo(f"{click.style(clean(run.workflow_id), bold=True)}  {coloured(state['status'])}")
    click.echo(f"{run.definition}@{run.version}, after event {at} of {run.sequence}, {when(state['now'])}")
    if run.written < run.sequence:
        click.echo(f"{run.sequence - run.written} of its events are missing: saga rebuild {run.workflow_id}")
    if state["vars"]:
        click.echo()
        print_table(("VARIABLE", "VALUE"), [(name, _value(value)) for name, value in state["vars"].items()])
    click.echo()
    rows = [(step.name, step.word, when(step.started), step.took, step.detail) for step in steps_of(state)]
    print_table(("STEP", "STATUS", "STARTED", "TOOK", "DETAIL"), rows)
    _show_waits(run, state)
    if problem := state.get("problem") or state.get("recovered"):
        click.echo()
        for line in problem_lines(problem):
            click.echo(line)


def _show_waits(run: StoredRun, state: Document) -> None:
    approvals: list[dict[str, Any]] = [wait for wait in state["waits"] if wait["title"]]
    for wait in approvals:
        who = ", ".join(wait["approvers"]) if wait["approvers"] is not None else "anybody"
        click.echo(f"\n{clean(wait['title'])}  (step {wait['path']}, may decide: {clean(who)})")


def _show_changes(run: StoredRun, before: Document, after: Document, between: tuple[int, int], as_json: bool) -> None:
    found = changes(before, after)
    if as_json:
        told: list[Json] = [{"pointer": pointer, "before": old, "after": new} for pointer, old, new in found]
        print_json({**_about(run), "from": between[0], "to": between[1], "changes": told})
    elif found:
        for line in starmap(_change_line, found):
            click.echo(line)
    else:
        click.echo(f"Nothing differs between event {between[0]} and event {between[1]}.")


def _change_line(pointer: str, before: Json, after: Json) -> str:
    if before is None:
        return click.style(f"+ {clean(pointer)}  {_value(after)}", fg="green")
    if after is None:
        return click.style(f"- {clean(pointer)}  {_value(before)}", fg="red")
    return f"~ {clean(pointer)}  {_value(before)} -> {_value(after)}"


def _value(value: Json) -> str:
    return shortened(clean(json.dumps(value, ensure_ascii=False)), _VALUE_WIDTH)

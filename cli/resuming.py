"""What `saga redrive` and `saga compensate` share: which runs are meant, and how it is told what became of them.

One run is named, or many are by a query; those that have been started again since are none of them. A run that
cannot be resumed is no reason to stop: it is told at the end, with its reason.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import click
from temporalio.client import Client

from cli import connections, loop
from cli.definitions import definitions_option, load_library
from cli.exits import BadInputError, Exit
from cli.logs import log_nothing
from cli.output import clean, counted, print_json, print_table, shortened
from cli.prompt import ask_yes_or_no
from cli.runs import status_of
from cli.settings import Settings, load_settings
from contracts.errors import PermanentError
from contracts.json import Json
from workflows.language.library import Library
from workflows.temporal.resuming import ResumePlan, ResumeRequest, carry_out, plan_resumption

F = TypeVar("F", bound=Callable[..., Any])
_SHOWN = 3
_REASON_WIDTH = 200


@dataclass(frozen=True)
class Wanted:
    """What the command line says.

    Attributes:
        run: One run by its workflow id, or None.
        query: Many runs, in Temporal's query language, or None.
        limit: How many of them at most.
    """

    request: ResumeRequest
    run: str | None
    query: str | None
    limit: int
    dry_run: bool
    yes: bool
    as_json: bool


@dataclass
class Tally:
    """What became of the runs, in order; `left` has the reason of each that cannot be resumed."""

    ready: list[tuple[ResumePlan, str | None]] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)


def resuming_options(command: F) -> F:
    """Let a command take a run or a query, and how to go about it."""
    options = (
        click.argument("run", required=False, metavar="[RUN]"),
        click.option("--query", metavar="QUERY", help="All runs that Temporal finds by this, instead of one."),
        click.option("--limit", default=1000, show_default=True, type=click.IntRange(1), help="So many at most."),
        click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing."),
        click.option("--yes", is_flag=True, help="Do not ask."),
        click.option("--json", "as_json", is_flag=True, help="Print a JSON document."),
        definitions_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


def resume(wanted: Wanted, paths: tuple[Path, ...]) -> int:
    """Do what the command line says, tell it, and return the exit code.

    Raises:
        BadInputError: Neither a run nor a query was given, or both.
        CannotResumeError: The one run that was named cannot be resumed.
    """
    if (wanted.run is None) == (wanted.query is None):
        raise BadInputError("Name one run, or several by --query; `saga list` shows what there is.")
    log_nothing()
    library, tally = load_library(paths), Tally()
    loop.run(_resume(load_settings(), library, wanted, tally))
    if wanted.as_json:
        print_json(_document(wanted, tally))
    else:
        _print(wanted, tally)
    return Exit.RUN_FAILED if tally.left else Exit.OK


async def _resume(settings: Settings, library: Library, wanted: Wanted, tally: Tally) -> None:
    async with connections.temporal(settings) as client:
        if wanted.run is not None:
            plan = await plan_resumption(client, library, wanted.run, wanted.request)
            tally.ready.append((plan, None if wanted.dry_run else await carry_out(client, plan)))
            return
        runs = [run async for run in _found(client, wanted)]
        doing = {"redrive": "redriven", "compensate": "rolled back to the end"}[wanted.request.how]
        question = f"{counted(len(runs), 'run')} {'is' if len(runs) == 1 else 'are'} {doing}. Go on?"
        if runs and not wanted.dry_run and not wanted.as_json and not await ask_yes_or_no(question, yes=wanted.yes):
            raise BadInputError("Nothing was done.")
        with _progress(len(runs)) as told:
            for workflow_id, run_id in runs:
                await _resume_one(client, library, wanted, tally, (workflow_id, run_id))
                told()


async def _found(client: Client, wanted: Wanted) -> AsyncIterator[tuple[str, str]]:
    """Yield workflow id and run id of the runs that are meant, none that has been started again since."""
    number = 0
    async for run in client.list_workflows(f"({wanted.query}) AND CloseTime IS NOT NULL"):
        if (await client.get_workflow_handle(run.id).describe()).run_id == run.run_id:
            yield run.id, run.run_id
            number += 1
        if number >= wanted.limit:
            return


async def _resume_one(client: Client, library: Library, wanted: Wanted, tally: Tally, run: tuple[str, str]) -> None:
    workflow_id, run_id = run
    try:
        plan = await plan_resumption(client, library, workflow_id, wanted.request, run_id=run_id)
        tally.ready.append((plan, None if wanted.dry_run else await carry_out(client, plan)))
    except PermanentError as error:
        tally.left[workflow_id] = str(error)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """Show a bar on a terminal."""
    from rich.console import Console  # noqa: PLC0415  # only who resumes many pays for it
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    console = Console(stderr=True)
    columns = (TextColumn("Resuming"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda: bar.advance(task)


def _print(wanted: Wanted, tally: Tally) -> None:
    if tally.ready:
        print_table(("RUN", "WAS", "VERSION", _heading(wanted)), [_row(plan) for plan, _ in tally.ready])
    for workflow_id, reason in tally.left.items():
        click.echo(f"left {clean(workflow_id)}: {shortened(clean(reason), _REASON_WIDTH)}")
    if wanted.dry_run:
        click.echo(f"\n{counted(len(tally.ready), 'run')} would go on. Nothing was done (--dry-run).")
    elif wanted.run is None:
        click.echo(f"\n{counted(len(tally.ready), 'run')} resumed, {len(tally.left)} left.")
    else:
        click.echo(f"\n{wanted.run} goes on. `saga watch {wanted.run}` shows it.")


def _heading(wanted: Wanted) -> str:
    return "UNDOES" if wanted.request.how == "compensate" else "GOES ON AT"


def _row(plan: ResumePlan) -> tuple[str, str, str, str]:
    return plan.ended.id, status_of(plan.ended), plan.definition.version, _places(plan)


def _places(plan: ResumePlan) -> str:
    paths = plan.resumption.again
    if not paths:
        return "what came next" if plan.resumption.state.frames else "its beginning"
    return ", ".join(paths[:_SHOWN]) + (f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else "")


def _document(wanted: Wanted, tally: Tally) -> dict[str, Json]:
    resumed: list[Json] = [_resumed(plan, run_id) for plan, run_id in tally.ready]
    left: list[Json] = [{"workflow_id": run, "reason": reason} for run, reason in tally.left.items()]
    return {"dry_run": wanted.dry_run, "resumed": resumed, "left": left}


def _resumed(plan: ResumePlan, run_id: str | None) -> dict[str, Json]:
    return {
        "workflow_id": plan.ended.id,
        "resumes": plan.ended.run_id,
        "run_id": run_id,
        "status": status_of(plan.ended),
        "version": plan.definition.version,
        "again": list(plan.resumption.again),
    }

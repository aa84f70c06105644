"""`saga schedules trigger`: a run of a schedule now."""

from __future__ import annotations

import click

from cli import loop
from cli.exits import Exit
from cli.output import print_json
from cli.schedules import connected, overlap_option, required, schedule_argument
from cli.settings import Settings, load_settings
from contracts.json import Json
from workers.scheduled import Scheduled
from workers.triggering import Triggered, trigger
from workflows.language.triggers import Overlap


@click.command("trigger")
@schedule_argument
@overlap_option("What to do while the run before goes on.  [default: what the schedule says]")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def command(name: str, overlap: Overlap | None, as_json: bool) -> int:
    """Start a run of a schedule now, with the schedule's input, whether it is paused or not.

    The exit code is 1 when the start was skipped because the run before goes on.

    \b
    Examples:
      saga schedules trigger nightly
      saga schedules trigger nightly/2 --overlap allow_all
    """
    schedule, triggered = loop.run(_trigger(load_settings(), name, overlap))
    if as_json:
        print_json(_document(schedule, triggered))
    else:
        click.echo(_sentence(schedule, triggered))
    return Exit.RUN_FAILED if triggered.outcome == "skipped" else Exit.OK


async def _trigger(settings: Settings, name: str, overlap: Overlap | None) -> tuple[Scheduled, Triggered]:
    async with connected(settings) as client:
        schedule = await required(client, settings.task_queue, name)
        return schedule, await trigger(client, schedule, overlap)


def _sentence(schedule: Scheduled, triggered: Triggered) -> str:
    name, run = schedule.name, triggered.run
    if run is not None:
        return f"{name} started {run.workflow_id}. `saga watch {run.workflow_id}` shows it."
    match triggered.outcome:
        case "skipped":
            return f"{name} started nothing: the run before goes on. --overlap allow_all starts one beside it."
        case "waiting":
            return f"{name} starts a run once the one before has ended."
    return f"{name} was asked to start a run, and Temporal shows none yet. Look again with `saga schedules list`."


def _document(schedule: Scheduled, triggered: Triggered) -> dict[str, Json]:
    run = triggered.run
    return {
        "id": schedule.name,
        "outcome": triggered.outcome,
        "workflow_id": run.workflow_id if run else None,
        "run_id": run.run_id if run else None,
    }

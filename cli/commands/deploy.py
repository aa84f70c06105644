"""`saga deploy`: makes definitions official: their versions are recorded, their schedules are set."""

from __future__ import annotations

from pathlib import Path

import click

from cli import connections, loop
from cli.definitions import definitions_option, load_library
from cli.deployment import Deployed, VersionChange, deploy, prepare_namespace
from cli.logs import log_nothing
from cli.output import coloured, print_json, print_table
from cli.settings import Settings, load_settings
from contracts.json import Json
from store.database import open_database
from workers.schedules import ScheduleChange
from workflows.language.library import Library


@click.command("deploy")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--abandon", is_flag=True, help="Take away versions on which runs are open: those wait.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
@definitions_option
def command(dry_run: bool, abandon: bool, as_json: bool, paths: tuple[Path, ...]) -> None:
    """Record the versions of definitions and reconcile their schedules.

    A deployed version never changes: a file that was changed without a new version is refused, and so is the removal
    of a version on which runs are open. Schedules are updated in
    place; a pause that an operator set stays; schedules that others made are left alone. Deploy all definitions of a
    task queue together: schedules of definitions that are not among them are removed.

    \b
    Examples:
      saga deploy
      saga deploy --dry-run
      saga deploy --definitions definitions/ --json
    """
    log_nothing()
    library = load_library(paths)
    deployed = loop.run(_deploy(load_settings(), library, dry_run, abandon))
    if as_json:
        print_json(_document(deployed, dry_run))
    else:
        _print(deployed, dry_run)


async def _deploy(settings: Settings, library: Library, dry_run: bool, abandon: bool) -> Deployed:
    url = connections.require_database(settings)
    async with open_database(url, pool_size=1) as database, connections.temporal(settings) as client:
        if not dry_run:
            await prepare_namespace(client)
        return await deploy(database, client, library, settings.task_queue, dry_run=dry_run, abandon=abandon)


def _print(deployed: Deployed, dry_run: bool) -> None:
    rows = [(each.change, each.definition.id, each.definition.version, _digest(each)) for each in deployed.versions]
    print_table(("CHANGE", "DEFINITION", "VERSION", "DIGEST"), rows)
    for line in schedule_lines(deployed.schedules):
        click.echo(line)
    if dry_run:
        click.echo("\nNothing was changed (--dry-run).")


def schedule_lines(schedules: tuple[ScheduleChange, ...]) -> list[str]:
    """Return a line for each schedule, and below it its next fire times with their zone."""
    lines = [""] if schedules else []
    for schedule in schedules:
        pause = "  paused" if schedule.paused else ""
        lines.append(f"{coloured(schedule.change)}  {click.style(schedule.id, bold=True)}{pause}")
        lines += [f"    {time:%a %Y-%m-%d %H:%M:%S %Z (UTC%z)}" for time in schedule.fires]
    return lines


def _digest(version: VersionChange) -> str:
    return version.definition.plan.digest[:12]


def _document(deployed: Deployed, dry_run: bool) -> dict[str, Json]:
    return {
        "dry_run": dry_run,
        "versions": [_version(each) for each in deployed.versions],
        "schedules": [_schedule(each) for each in deployed.schedules],
    }


def _version(version: VersionChange) -> dict[str, Json]:
    each = version.definition
    return {"definition": each.id, "version": each.version, "digest": each.plan.digest, "change": version.change}


def _schedule(schedule: ScheduleChange) -> dict[str, Json]:
    fires: list[Json] = [time.isoformat() for time in schedule.fires]
    return {"id": schedule.id, "change": schedule.change, "paused": schedule.paused, "next": fires}

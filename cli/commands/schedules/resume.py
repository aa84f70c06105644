"""`saga schedules resume`: a paused schedule that starts runs again."""

from __future__ import annotations

import click

from cli import loop
from cli.output import print_json
from cli.schedules import connected, in_zone, required, schedule_argument
from cli.settings import Settings, load_settings
from workers.scheduled import Scheduled

_NOTE = "Resumed by `saga schedules resume`."


@click.command("resume")
@schedule_argument
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def command(name: str, as_json: bool) -> None:
    """Let a paused schedule start runs again, from its next time on.

    \b
    Examples:
      saga schedules resume nightly
      saga schedules resume nightly/2 --json
    """
    before = loop.run(_resume(load_settings(), name))
    following = before.fires[0] if before.fires else None
    if as_json:
        next_start = following.isoformat() if following else None
        print_json({"id": before.name, "paused": False, "was_paused": before.paused, "next": next_start})
        return
    state = "is active again" if before.paused else "was not paused"
    click.echo(f"{before.name} {state}." + (f" Its next start: {in_zone(following, before)}." if following else ""))


async def _resume(settings: Settings, name: str) -> Scheduled:
    async with connected(settings) as client:
        schedule = await required(client, settings.task_queue, name)
        if schedule.paused:
            await client.get_schedule_handle(schedule.id).unpause(note=_NOTE)
        return schedule

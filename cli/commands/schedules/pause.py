"""`saga schedules pause`: a schedule that starts nothing for a while."""

from __future__ import annotations

import click

from cli import loop
from cli.output import print_json
from cli.schedules import connected, required, schedule_argument
from cli.settings import Settings, load_settings

_NOTE = "Paused by `saga schedules pause`."


@click.command("pause")
@schedule_argument
@click.option("--note", default=_NOTE, show_default=True, help="Why; `saga schedules list` shows it.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def command(name: str, note: str, as_json: bool) -> None:
    """Let a schedule start nothing until it is resumed.

    Runs that go on are left alone. A deployment keeps the pause, unless the definition's own `paused` was changed. What
    falls into the pause is not started afterwards; `saga schedules backfill` does that.

    \b
    Examples:
      saga schedules pause nightly
      saga schedules pause nightly/2 --note "until the bank is back"
    """
    identity = loop.run(_pause(load_settings(), name, note))
    if as_json:
        print_json({"id": identity, "paused": True, "note": note})
    else:
        click.echo(f"{identity} is paused. `saga schedules resume {identity}` lets it go on.")


async def _pause(settings: Settings, name: str, note: str) -> str:
    async with connected(settings) as client:
        schedule = await required(client, settings.task_queue, name)
        await client.get_schedule_handle(schedule.id).pause(note=note)
        return schedule.name

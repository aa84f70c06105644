"""`saga schedules list`: when schedules start runs, how the last run went, and what was missed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import click
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from cli import loop
from cli.calendars import in_words, zone_of
from cli.output import print_json, print_table
from cli.runs import handle_of, status_of
from cli.schedules import connected, in_zone
from cli.settings import Settings, load_settings
from contracts.json import Json
from workers.scheduled import Made, Scheduled, owned_schedules, running_now

_HEADINGS = ("SCHEDULE", "WHEN", "ZONE", "STATE", "NEXT", "LAST", "STATUS", "RUNNING", "MISSED", "SKIPPED", "NOTE")
_AT_ONCE = 8


@dataclass(frozen=True)
class _Line:
    """A schedule with what is known of its runs; `status` is that of the last one, empty where there is none."""

    schedule: Scheduled
    running: int
    status: str

    @property
    def last(self) -> Made | None:
        return self.schedule.recent[-1] if self.schedule.recent else None


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def command(as_json: bool) -> None:
    """List schedules: when they start runs, how the last one went, what was missed.

    Times are in the zone of the schedule. MISSED counts the starts that were not made because Temporal was away for
    longer than `catch_up`; SKIPPED those that were not made because the run before was going on (`overlap`). Both count
    from when the schedule was made. A schedule is here a moment after it was deployed.

    \b
    Examples:
      saga schedules list
      saga schedules list --json | jq -r '.[] | select(.missed > 0) | .id'
    """
    lines = loop.run(_fetch(load_settings()))
    if as_json:
        print_json([_document(line) for line in lines])
    elif lines:
        print_table(_HEADINGS, [_row(line) for line in lines])
    else:
        click.echo("There are no schedules. `saga deploy` makes those that definitions name.")


async def _fetch(settings: Settings) -> list[_Line]:
    async with connected(settings) as client:
        limit = asyncio.Semaphore(_AT_ONCE)
        schedules = await owned_schedules(client, settings.task_queue)
        return await asyncio.gather(*(_line(client, schedule, limit) for schedule in schedules))


async def _line(client: Client, schedule: Scheduled, limit: asyncio.Semaphore) -> _Line:
    async with limit:
        running = await running_now(client, schedule.id)
        status = await _status(client, schedule.recent[-1]) if schedule.recent else ""
        return _Line(schedule, running, status)


async def _status(client: Client, run: Made) -> str:
    try:
        return status_of(await handle_of(client, run.workflow_id).describe())
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:  # ended so long ago that Temporal keeps it no more
            return "gone"
        raise


def _row(line: _Line) -> tuple[str, ...]:
    schedule, last = line.schedule, line.last
    return (
        schedule.name,
        in_words(schedule.spec),
        zone_of(schedule.spec),
        _state(schedule),
        in_zone(schedule.fires[0], schedule) if schedule.fires and not schedule.paused else "",
        in_zone(last.scheduled_at, schedule) if last else "",
        line.status,
        str(line.running),
        str(schedule.missed),
        str(schedule.skipped + schedule.dropped),
        schedule.note if schedule.paused else "",
    )


def _state(schedule: Scheduled) -> str:
    return "paused" if schedule.paused else "active"


def _document(line: _Line) -> dict[str, Json]:
    schedule = line.schedule
    fires: list[Json] = [] if schedule.paused else [time.isoformat() for time in schedule.fires]
    return {
        "id": schedule.name,
        "definition": schedule.definition,
        "schedule_id": schedule.id,
        "when": in_words(schedule.spec),
        "timezone": zone_of(schedule.spec),
        "overlap": schedule.overlap,
        "catch_up_seconds": schedule.catch_up.total_seconds(),
        "paused": schedule.paused,
        "note": schedule.note,
        "next": fires,
        "last": _last(line),
        "recent": [_made(run) for run in schedule.recent],
        "running": line.running,
        "starts": schedule.starts,
        "missed": schedule.missed,
        "skipped": schedule.skipped,
        "dropped": schedule.dropped,
        "waiting": schedule.waiting,
    }


def _last(line: _Line) -> Json:
    return None if line.last is None else _made(line.last) | {"status": line.status}


def _made(run: Made) -> dict[str, Json]:
    return {
        "workflow_id": run.workflow_id,
        "run_id": run.run_id,
        "scheduled": run.scheduled_at.isoformat(),
        "started": run.started_at.isoformat(),
    }

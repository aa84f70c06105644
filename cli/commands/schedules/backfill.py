"""`saga schedules backfill`: the runs of a schedule for a time that is over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

import click

from cli import loop
from cli.exits import BadInputError
from cli.moments import MOMENT
from cli.output import counted, print_json
from cli.schedules import connected, in_zone, overlap_option, required, schedule_argument
from cli.settings import Settings, load_settings
from contracts.envelope import in_words
from contracts.json import Json
from workers.backfills import backfill, made_between, times_between
from workers.scheduled import Scheduled
from workflows.language.triggers import Overlap

_MOST_UNASKED = 1_000
_MOST = 10_000


@dataclass(frozen=True)
class _Found:
    """The starts of a time span: their times, and how many of them were made before."""

    schedule: Scheduled
    times: list[datetime]
    made: int


@click.command("backfill")
@schedule_argument
@click.option("--from", "start", type=MOMENT, required=True, help="From this moment on.")
@click.option("--to", "end", type=MOMENT, help="Before this moment.  [default: now]")
@overlap_option("What becomes of a start while the run before goes on.", default="buffer_all")
@click.option("--dry-run", is_flag=True, help="Say what would be started, and start nothing.")
@click.option("--yes", is_flag=True, help="Even more than 1,000 runs, or starts that were made before.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def command(
    name: str, start: datetime, end: datetime | None, overlap: Overlap, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Start the runs of a schedule for a time that is over, whether it is paused or not.

    Each run is called by the time for which it is started. They are started one after the other, the next when the one
    before has ended; `--overlap allow_all` starts all at once, `skip` leaves out what falls into a run. A moment is
    2030-01-31T08:00:00Z, 2030-01-31, yesterday, or how long ago: 2h. At most 10,000 runs at a time.

    \b
    Examples:
      saga schedules backfill nightly --from 2030-01-01 --to 2030-02-01 --dry-run
      saga schedules backfill nightly/2 --from 12h --overlap allow_all
    """
    start, end = _span(start, end)
    settings = load_settings()
    found = loop.run(_find(settings, name, start, end))
    if not dry_run:
        _allow(found, yes=yes)
        loop.run(_backfill(settings, found, (start, end), overlap))
    if as_json:
        print_json(_document(found, overlap, dry_run=dry_run))
    else:
        _tell(found, overlap, dry_run=dry_run)


def _span(start: datetime, end: datetime | None) -> tuple[datetime, datetime]:
    now = datetime.now(UTC)
    end = end or now
    if end > now:
        raise BadInputError(f"--to ({in_words(end)}) lies ahead: those starts come by themselves.")
    if start >= end:
        raise BadInputError(f"--from ({in_words(start)}) must be before --to ({in_words(end)}).")
    return start, end


async def _find(settings: Settings, name: str, start: datetime, end: datetime) -> _Found:
    async with connected(settings) as client:
        schedule = await required(client, settings.task_queue, name)
        times = await times_between(client, schedule.id, start, end, _MOST)
        if len(times) > _MOST:
            raise BadInputError(f"{schedule.name} has more than {_MOST:,} starts between these: take a shorter time.")
        return _Found(schedule, times, await made_between(client, schedule.id, start, end))


def _allow(found: _Found, *, yes: bool) -> None:
    """Refuse what is probably a mistake, unless it was said to be none."""
    if len(found.times) > _MOST_UNASKED and not yes:
        raise BadInputError(f"{counted(len(found.times), 'run')} would be started; say --yes, or take a shorter time.")
    if found.made and not yes:
        raise BadInputError(f"{counted(found.made, 'start')} of these would be made again; say --yes if they shall.")


async def _backfill(settings: Settings, found: _Found, span: tuple[datetime, datetime], overlap: Overlap) -> None:
    if found.times:
        async with connected(settings) as client:
            await backfill(client, found.schedule.id, *span, overlap)


def _tell(found: _Found, overlap: Overlap, *, dry_run: bool) -> None:
    schedule, times = found.schedule, found.times
    if not times:
        click.echo(f"{schedule.name} has no start between these.")
        return
    click.echo(f"{schedule.name}: {counted(len(times), 'run')} ({overlap})")
    for word, time in islice((("first", times[0]), ("last", times[-1])), len(times)):
        click.echo(f"  {word:5}  {in_zone(time, schedule)}")
    if found.made:
        click.echo(f"{counted(found.made, 'start')} of these {'was' if found.made == 1 else 'were'} made before.")
    if dry_run:
        click.echo("Nothing was started (--dry-run).")
    else:
        click.echo("Temporal starts them by and by; `saga schedules list` shows how many go on now.")


def _document(found: _Found, overlap: Overlap, *, dry_run: bool) -> dict[str, Json]:
    first, last = (found.times[0], found.times[-1]) if found.times else (None, None)
    return {
        "id": found.schedule.name,
        "dry_run": dry_run,
        "overlap": overlap,
        "runs": len(found.times),
        "first": first.isoformat() if first else None,
        "last": last.isoformat() if last else None,
        "made_before": found.made,
    }

"""`saga events archive`: old days of the log into the archive."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import click

from bridge.archive.archiving import KEEP, archive_days, due_days
from cli import connections, loop
from cli.archives import location_option, show_days, storage_at, told
from cli.exits import BadInputError
from cli.logs import log_to_stderr
from cli.moments import DAY, LENGTH
from cli.settings import Settings, load_settings
from store.archive import ArchivedDay, DayRecord, archived_days, logged_days
from store.database import open_database


@click.group("archive", invoke_without_command=True)
@click.option("--before", type=DAY, help="Days before this one.")
@click.option("--older-than", type=LENGTH, help="Days whose last event is older than this.  [default: 30d]")
@click.option("--drop", type=DAY, multiple=True, help="A restored day that is needed no more; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Say which days, and archive nothing.")
@location_option
@click.pass_context
def command(
    ctx: click.Context,
    before: date | None,
    older_than: timedelta | None,
    drop: tuple[date, ...],
    dry_run: bool,
    location: str | None,
) -> None:
    """Move old days of the log into the archive, which bridges do by themselves every hour.

    A day is written, read back and compared before it leaves the log. Today and the day before always stay. S3 is
    reached by AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.

    \b
    Examples:
      saga events archive --older-than 90d
      saga events archive --before 2030-01-01 --location s3://backup/events
      saga events archive --drop 2030-01-31
      saga events archive list
    """
    if ctx.invoked_subcommand is not None:
        return
    if sum((before is not None, older_than is not None, bool(drop))) > 1:
        raise BadInputError("--before, --older-than and --drop exclude each other.")
    settings = load_settings()
    log_to_stderr(settings)
    keep = _keep(before, older_than)
    done = loop.run(_archive(settings, location, keep, drop, dry_run))
    if not done:
        click.echo("No day is old enough.")
    for line in done:
        click.echo(line)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def list_days(as_json: bool) -> None:
    """List the days in the archive.

    \b
    Examples:
      saga events archive list
    """
    show_days(loop.run(_listed(load_settings())), as_json=as_json)


def _keep(before: date | None, older_than: timedelta | None) -> timedelta:
    if before is not None:
        return datetime.now(UTC) - datetime(before.year, before.month, before.day, tzinfo=UTC)
    return KEEP if older_than is None else older_than


async def _archive(
    settings: Settings, location: str | None, keep: timedelta, drop: Sequence[date], dry_run: bool
) -> list[str]:
    storage = storage_at(location, settings)
    async with open_database(connections.require_database(settings)) as database:
        if drop:
            _refuse_unrestored(await archived_days(database), drop)
        days = list(drop) or due_days(await logged_days(database), keep, datetime.now(UTC))
        if dry_run:
            return [f"{day}: would go to {storage.location}" for day in days]
        records: list[DayRecord] = []
        for day in days:
            records.extend(await archive_days(database, storage, [day]))
        return [told(record) for record in records]


def _refuse_unrestored(known: Sequence[ArchivedDay], days: Sequence[date]) -> None:
    restored = {each.day for each in known if each.restored_at is not None}
    for day in days:
        if day not in restored:
            raise BadInputError(f"{day} is no restored day; `saga events archive list` shows them.")


async def _listed(settings: Settings) -> list[ArchivedDay]:
    async with open_database(connections.require_database(settings)) as database:
        return await archived_days(database)

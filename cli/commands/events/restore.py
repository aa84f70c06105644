"""`saga events restore`: archived days back into the log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import click

from bridge.archive.restoring import restore_day
from cli import connections, loop
from cli.archives import location_option, storage_at, told
from cli.logs import log_to_stderr
from cli.moments import DAY
from cli.settings import Settings, load_settings
from store.archive import archived_day
from store.database import open_database


@click.command("restore")
@click.argument("days", type=DAY, nargs=-1, required=True, metavar="DAY...")
@location_option
def command(days: tuple[date, ...], location: str | None) -> None:
    """Bring archived days back into the log, for a week.

    Each file is compared with its checksum; a day with a damaged file is refused and nothing of it comes back. Without
    --location a day comes from where it was archived.

    \b
    Examples:
      saga events restore 2030-01-31
      saga events restore 2030-01-30 2030-01-31 --location s3://backup/events
    """
    settings = load_settings()
    log_to_stderr(settings)
    loop.run(_restore(settings, days, location))
    click.echo("In the log for a week, or until `saga events archive --drop DAY`.")


async def _restore(settings: Settings, days: Sequence[date], location: str | None) -> None:
    async with open_database(connections.require_database(settings)) as database:
        for day in days:
            known = None if location else await archived_day(database, day)
            storage = storage_at(known.location if known else location, settings)
            click.echo(f"Restored {told(await restore_day(database, storage, day))}")

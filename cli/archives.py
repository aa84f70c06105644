"""Where the archive is: what `--location` says, else the folder `archive` of the state folder.

S3's endpoint, region and keys come from the variables that AWS's own tools read.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import click

from bridge.archive.storage import S3Access, Storage, open_storage
from cli.output import print_json, print_table
from cli.settings import Settings
from contracts.json import Json
from store.archive import ArchivedDay, DayRecord

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_STEP = 1024


def location_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option `--location`."""
    return click.option(
        "--location",
        metavar="FOLDER|s3://BUCKET/PREFIX",
        help="Where the archive is. [default: $SAGA_ARCHIVE, else .saga/archive]",
    )(command)


def storage_at(location: str | None, settings: Settings) -> Storage:
    """Return the storage of the archive.

    Raises:
        ArchiveRefusedError: The location is neither a folder nor one in S3.
    """
    return open_storage(location or settings.archive or str(settings.state_dir / "archive"), s3_access())


def s3_access() -> S3Access:
    """Return how S3 is reached."""
    given = os.environ.get
    return S3Access(
        endpoint=given("AWS_ENDPOINT_URL_S3") or given("AWS_ENDPOINT_URL"),
        region=given("AWS_REGION") or given("AWS_DEFAULT_REGION"),
        access_key_id=given("AWS_ACCESS_KEY_ID"),
        secret_access_key=given("AWS_SECRET_ACCESS_KEY"),
        session_token=given("AWS_SESSION_TOKEN"),
    )


def size(number: int) -> str:
    """Return a number of bytes for people, such as `12 MiB`."""
    value, unit = float(number), 0
    while value >= _STEP and unit < len(_UNITS) - 1:
        value, unit = value / _STEP, unit + 1
    return f"{value:.0f} {_UNITS[unit]}"


def told(record: DayRecord) -> str:
    """Return a day of the archive in words."""
    return f"{record.day}: {record.events:,} events, {size(record.bytes)} at {record.location}"


def show_days(days: list[ArchivedDay], *, as_json: bool) -> None:
    """Print the days in the archive."""
    if as_json:
        print_json([_document(day) for day in days])
    elif days:
        print_table(("DAY", "EVENTS", "SIZE", "ARCHIVED", "RESTORED", "LOCATION"), [_row(day) for day in days])
    else:
        click.echo("No day is in the archive.")


def _row(day: ArchivedDay) -> tuple[str, ...]:
    restored = "" if day.restored_at is None else f"{day.restored_at:%Y-%m-%d}"
    archived = f"{day.archived_at:%Y-%m-%d}"
    return str(day.day), f"{day.events:,}", size(day.bytes), archived, restored, day.location


def _document(day: ArchivedDay) -> dict[str, Json]:
    return {
        "day": day.day.isoformat(),
        "events": day.events,
        "bytes": day.bytes,
        "files": len(day.manifest["files"]),
        "location": day.location,
        "archived_at": day.archived_at.isoformat(),
        "restored_at": day.restored_at.isoformat() if day.restored_at else None,
    }

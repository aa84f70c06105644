"""Bring archived days back into the log.

A day's events go into a table that nobody reads, checked against the manifest as they come; only when the last
checksum is right does that table become the day's partition. Whatever goes wrong before leaves the log as it was.
"""

from __future__ import annotations

from contextlib import aclosing, suppress
from datetime import date
from typing import Final

import structlog

from bridge.archive.errors import ArchiveDamagedError, NotArchivedError
from bridge.archive.format import (
    MANIFEST,
    MAX_MANIFEST_BYTES,
    FileEntry,
    Manifest,
    decode_manifest,
    manifest_document,
    path_of,
)
from bridge.archive.packing import unpack
from bridge.archive.storage import Storage
from contracts.errors import SagaError
from store import archive
from store.archive import ArchivedEvent, DayRecord
from store.database import Database

_BATCH: Final = 200
_log = structlog.get_logger("archive")


async def restore_day(database: Database, storage: Storage, day: date) -> DayRecord:
    """Bring a day back; it stays for a week, or until `archive_days` takes it out again.

    The database need not know of the archive: that of another machine, or of one that is lost, is restored as well.

    Raises:
        NotArchivedError: The storage has no such day.
        ArchiveDamagedError: The manifest or a file is not what was archived; the log is as it was.
        DayPresentError: The log has events of this day.
        ArchiveBusyError: Another process archives or restores right now.
        ServiceUnreachableError: The storage or the database is away.
    """
    async with archive.archive_lock(database):
        manifest = await read_manifest(storage, day)
        await _refuse_another(database, manifest)
        record = DayRecord(day, storage.location, manifest.events, manifest.bytes, manifest_document(manifest))
        await archive.begin_restore(database, day)
        try:
            await _load(database, storage, manifest)
            await archive.finish_restore(database, record)
        except BaseException:
            with suppress(SagaError):  # the next restore removes it
                await archive.abandon_restore(database)
            raise
    _log.info("day_restored", day=str(day), events=record.events, location=record.location)
    return record


async def read_manifest(storage: Storage, day: date) -> Manifest:
    """Return the manifest of a day.

    Raises:
        NotArchivedError: There is none.
        ArchiveDamagedError: It cannot be read.
    """
    content = b""
    try:
        async with aclosing(storage.read(path_of(day, MANIFEST))) as chunks:
            async for chunk in chunks:
                content += chunk
                if len(content) > MAX_MANIFEST_BYTES:
                    raise ArchiveDamagedError(f"{path_of(day, MANIFEST)} is longer than {MAX_MANIFEST_BYTES:,} bytes.")
    except FileNotFoundError:
        raise NotArchivedError(f"{day} is not in {storage.location}.") from None
    return decode_manifest(content, day)


async def _refuse_another(database: Database, manifest: Manifest) -> None:
    known = await archive.archived_day(database, manifest.day)
    if known is not None and known.manifest != manifest_document(manifest):
        raise ArchiveDamagedError(f"{path_of(manifest.day, MANIFEST)} is not the one on record.")


async def _load(database: Database, storage: Storage, manifest: Manifest) -> None:
    for entry in manifest.files:
        path = path_of(manifest.day, entry.name)
        try:
            await _load_file(database, storage, manifest.day, entry, path)
        except FileNotFoundError:
            raise ArchiveDamagedError(f"{path} is missing; the manifest has SHA-256 {entry.sha256}.") from None


async def _load_file(database: Database, storage: Storage, day: date, entry: FileEntry, path: str) -> None:
    batch: list[ArchivedEvent] = []
    async with aclosing(unpack(storage.read(path), entry, path)) as events:
        async for event in events:
            batch.append(event)
            if len(batch) == _BATCH:
                await archive.add_restored(database, day, batch)
                batch.clear()
    if batch:
        await archive.add_restored(database, day, batch)

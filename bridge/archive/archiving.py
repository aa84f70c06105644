"""Take old days out of the log: write them to the archive, read them back, and only then drop them.

The order is what makes a crash harmless at any point. Files first, the manifest last, so that a day is in the
archive in full or not at all; then everything is read back and compared; then, in one transaction, the day is put on
record and its partition goes, unless somebody wrote to it meanwhile. Whoever comes after a crash begins that day
anew: the same lines give the same files, and what an earlier attempt left over is removed at the end.

Memory does not grow with the day: events come by pages, and a file is closed at a bound.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import structlog

from bridge.archive.errors import ArchiveUnfinishedError
from bridge.archive.format import MANIFEST, FileEntry, Manifest, encode_manifest, manifest_document, path_of
from bridge.archive.packing import Packer, unpack
from bridge.archive.storage import Storage
from store import archive
from store.archive import DayRecord, Fingerprint, Line, LoggedDay
from store.database import Database
from store.errors import TransactionConflictError

KEEP: Final = timedelta(days=30)
KEEP_RESTORED: Final = timedelta(days=7)
_NEVER_YOUNGER: Final = timedelta(days=2)
_LEAVE_TRIES: Final = 5
_LEAVE_PAUSE: Final = timedelta(seconds=1)
_log = structlog.get_logger("archive")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is held at once: events in a page, unpacked bytes in a file (the last page may go over it)."""

    page: int = 200
    file_bytes: int = 64 * 1024 * 1024


async def retain(
    database: Database, storage: Storage, keep: timedelta = KEEP, bounds: Bounds | None = None
) -> list[DayRecord]:
    """Archive and drop each day that is older than the retention, and return those days.

    A day that was restored stays for a week. Any number of processes may call this: one does it, the others are told.

    Args:
        database: Where the log is.
        storage: Where the archive is.
        keep: How long events stay in the log; today and the day before always do.
        bounds: How much is held at once.

    Raises:
        ArchiveBusyError: Another process archives or restores right now.
        ServiceUnreachableError: The storage or the database is away; what is done stays done.
        ArchiveRefusedError: The storage refuses.
        DayChangedError: Somebody wrote to a day meanwhile.
    """
    async with archive.archive_lock(database):
        days = due_days(await archive.logged_days(database), keep, datetime.now(UTC))
        return [await _archive_day(database, storage, day, bounds or Bounds()) for day in days]


async def archive_days(database: Database, storage: Storage, days: Sequence[date]) -> list[DayRecord]:
    """Archive and drop these days, however old they are. Errors: as for `retain`."""
    async with archive.archive_lock(database):
        return [await _archive_day(database, storage, day, Bounds()) for day in days]


def due_days(logged: Sequence[LoggedDay], keep: timedelta, now: datetime) -> list[date]:
    """Return the days that are to leave the log at `now` (aware)."""
    first_kept = (now.astimezone(UTC) - max(keep, _NEVER_YOUNGER)).date()
    return [
        each.day
        for each in logged
        if each.day < first_kept and (each.restored_at is None or each.restored_at < now - KEEP_RESTORED)
    ]


async def _archive_day(database: Database, storage: Storage, day: date, bounds: Bounds) -> DayRecord:
    manifest = await _write(database, storage, day, bounds)
    await _verify(storage, manifest)
    record = DayRecord(day, storage.location, manifest.events, manifest.bytes, manifest_document(manifest))
    await _leave(database, record, manifest.fingerprint)
    await _tidy(storage, manifest)
    _log.info("day_archived", day=str(day), events=record.events, bytes=record.bytes, location=record.location)
    return record


async def _write(database: Database, storage: Storage, day: date, bounds: Bounds) -> Manifest:
    pages, files = _Pages(database, day, bounds.page), list[FileEntry]()
    await archive.prepare_reading(database, day)
    with TemporaryDirectory(prefix="saga-archive-") as folder:
        path = Path(folder) / "events"
        while (entry := await _pack(pages, path, len(files) + 1, bounds)) is not None:
            await storage.put(path_of(day, entry.name), path)
            files.append(entry)
    manifest = Manifest(day, tuple(files), pages.fingerprint)
    await storage.put(path_of(day, MANIFEST), encode_manifest(manifest))
    return manifest


async def _pack(pages: _Pages, path: Path, number: int, bounds: Bounds) -> FileEntry | None:
    with closing(Packer(path)) as packer:
        while packer.raw_bytes < bounds.file_bytes and (lines := await pages.next()):
            await asyncio.to_thread(packer.add, lines)
        return await asyncio.to_thread(packer.finish, number) if packer.events else None


class _Pages:
    """The lines of a day, page by page, and the fingerprint of what was read."""

    def __init__(self, database: Database, day: date, size: int) -> None:
        self._database, self._day, self._size = database, day, size
        self._last: Line | None = None
        self.fingerprint = Fingerprint()

    async def next(self) -> Sequence[Line]:
        lines = await archive.read_lines(self._database, self._day, self._last, self._size)
        if lines:
            self._last = lines[-1]
            self.fingerprint = _added(self.fingerprint, lines)
        return lines


def _added(before: Fingerprint, lines: Sequence[Line]) -> Fingerprint:
    handled = [line.handled_at for line in lines if line.handled_at is not None]
    known = [] if before.last_handled_at is None else [before.last_handled_at]
    return Fingerprint(
        before.events + len(lines),
        max(before.last_position or 0, *(line.position for line in lines)),
        before.handled + len(handled),
        max((*known, *handled), default=None),
    )


async def _verify(storage: Storage, manifest: Manifest) -> None:
    """Read everything back.

    Raises:
        ArchiveUnfinishedError: The manifest or a file is not there.
        ArchiveDamagedError: A file is not what was written.
    """
    try:
        stored = b"".join([chunk async for chunk in storage.read(path_of(manifest.day, MANIFEST))])
        if stored != encode_manifest(manifest):
            raise ArchiveUnfinishedError(f"{path_of(manifest.day, MANIFEST)} is not what was written.")
        for entry in manifest.files:
            await _exhaust(unpack(storage.read(path := path_of(manifest.day, entry.name)), entry, path))
    except FileNotFoundError as error:
        raise ArchiveUnfinishedError(f"{error}.") from None


async def _exhaust(events: AsyncGenerator[object, None]) -> None:
    async with aclosing(events):
        async for _ in events:
            pass


async def _leave(database: Database, record: DayRecord, fingerprint: Fingerprint) -> None:
    for _ in range(_LEAVE_TRIES - 1):
        try:
            return await archive.leave_log(database, record, fingerprint)
        except TransactionConflictError:
            # Somebody reads the log for long; everybody else would queue behind us if we insisted.
            await asyncio.sleep(_LEAVE_PAUSE.total_seconds())
    return await archive.leave_log(database, record, fingerprint)


async def _tidy(storage: Storage, manifest: Manifest) -> None:
    """Remove what earlier attempts left over."""
    wanted = {MANIFEST, *(entry.name for entry in manifest.files)}
    for name in await storage.names(str(manifest.day)):
        if name not in wanted:
            await storage.remove(path_of(manifest.day, name))

"""Days leave the log only when the archive has them, whatever crashes on the way."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from bridge.archive.archiving import Bounds, archive_days, due_days, retain
from bridge.archive.errors import ArchiveDamagedError, ArchiveUnfinishedError
from bridge.archive.restoring import read_manifest, restore_day
from bridge.archive.storage import Storage
from store.archive import ArchiveBusyError, DayChangedError, LoggedDay, archive_lock, archived_day, archived_days
from store.database import Database
from tests.bridge.archive.event_log_days import days_ago, everything_of, make_day, partitions
from tests.bridge.archive.faulty_storage import SEEDED, Altered, Counted, run_and_crash
from tests.bridge.archive.memory_usage import peak_bytes, start_measuring
from tests.support.waiting import PATIENCE_SECONDS, eventually

NOW = datetime(2030, 3, 31, 12, tzinfo=UTC)
SMALL = Bounds(page=50, file_bytes=20_000)


async def test_retain_archives_old_days_and_keeps_young_ones(database: Database, storage: Storage) -> None:
    """What is older than the retention leaves the log, is on record, and can be read back in full."""
    old, older, young = days_ago(31), days_ago(40), days_ago(29)
    for day, events in ((old, 230), (older, 10), (young, 5)):
        await make_day(database, day, events)
    records = await retain(database, storage, bounds=SMALL)
    assert [(record.day, record.events) for record in records] == [(older, 10), (old, 230)]
    assert await partitions(database) == [young]
    assert [(day.day, day.restored_at) for day in await archived_days(database)] == [(older, None), (old, None)]
    manifest = await read_manifest(storage, old)
    assert sum(entry.events for entry in manifest.files) == 230
    assert len(manifest.files) > 1
    assert await retain(database, storage) == []


async def test_archive_can_be_read_without_us(database: Database, folder: Storage, tmp_path: Path) -> None:
    """Gzip, lines of JSON, and SHA-256 sums that other programs agree with."""
    day = days_ago(31)
    await make_day(database, day, 20)
    await retain(database, folder)
    place = tmp_path / "archive" / day.isoformat()
    manifest = json.loads((place / "manifest.json").read_text())
    (entry,) = manifest["files"]
    content = (place / entry["name"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == entry["sha256"]
    lines = [json.loads(line) for line in gzip.decompress(content).splitlines()]
    assert (manifest["format"], manifest["day"], manifest["events"], len(lines)) == (1, day.isoformat(), 20, 20)
    assert lines[0]["envelope"]["data"]["number"] == 1
    assert lines[0]["recorded_at"] == f"{day.isoformat()}T00:00:00.001000+00:00"


async def test_archiving_the_same_day_twice_gives_the_same_files(database: Database, folder: Storage) -> None:
    """Nothing of the process or of the clock is in them."""
    day = days_ago(31)
    await make_day(database, day, 100)
    (first,) = await retain(database, folder)
    await restore_day(database, folder, day)
    (second,) = await archive_days(database, folder, [day])
    assert first.manifest == second.manifest


async def test_archiving_is_done_by_one_process(database: Database, folder: Storage) -> None:
    """The second one is refused while the first one runs, and changes nothing."""
    await make_day(database, days_ago(31), 5)
    async with archive_lock(database):
        with pytest.raises(ArchiveBusyError):
            await retain(database, folder)
    assert await partitions(database) == [days_ago(31)]
    assert len(await retain(database, folder)) == 1


async def test_day_that_was_written_to_meanwhile_stays(database: Database, folder: Storage) -> None:
    """An event that was marked after it had been archived keeps the day in the log until the next time."""
    day = days_ago(31)
    await make_day(database, day, 20)

    async def mark() -> None:
        await database.fetch("update saga.events set outcome = 'dispatched', handled_at = now() where position = 2")

    with pytest.raises(DayChangedError, match=str(day)):
        await retain(database, Altered(folder, "manifest.json", mark))
    assert await partitions(database) == [day]
    assert await archived_day(database, day) is None
    assert len(await retain(database, folder)) == 1


async def test_day_whose_file_did_not_arrive_stays(database: Database, folder: Storage) -> None:
    """A storage that loses a file after it has confirmed it is caught when everything is read back."""
    day = days_ago(31)
    await make_day(database, day, 20)

    async def lose() -> None:
        for name in await folder.names(day.isoformat()):
            if name != "manifest.json":
                await folder.remove(f"{day}/{name}")

    with pytest.raises(ArchiveUnfinishedError):
        await retain(database, Altered(folder, "manifest.json", lose))
    assert await partitions(database) == [day]


async def test_day_whose_file_arrived_damaged_stays(database: Database, folder: Storage, tmp_path: Path) -> None:
    """A bit that was turned over on the way is caught when everything is read back."""
    day = days_ago(31)
    await make_day(database, day, 20)

    async def damage() -> None:
        (file,) = (tmp_path / "archive" / day.isoformat()).glob("events-*")
        file.write_bytes(file.read_bytes()[:-1] + b"?")

    with pytest.raises(ArchiveDamagedError, match="events-0001"):
        await retain(database, Altered(folder, "manifest.json", damage))
    assert await partitions(database) == [day]


async def test_reader_that_holds_the_log_delays_the_drop_only(database: Database, folder: Storage) -> None:
    """A long transaction that reads the log keeps its day; others are not held up behind us, and it goes later."""
    day = days_ago(31)
    await make_day(database, day, 20)
    async with database.transaction() as reader:
        await reader.fetch("select count(*) from saga.events")
        archiving = asyncio.create_task(retain(database, folder))
        waiting = "select count(*) as count from pg_locks where not granted"
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (await database.fetch(waiting))[0]["count"]:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.02)
        assert await partitions(database) == [day]
    assert [record.day for record in await archiving] == [day]
    assert await partitions(database) == []


async def _restored(database: Database, storage: Storage, day: date) -> bool:
    try:
        await restore_day(database, storage, day)
    except ArchiveBusyError:
        return False
    return True


async def test_archiving_survives_a_crash_at_any_step(
    database: Database, folder: Storage, postgres_url: str, tmp_path: Path
) -> None:
    """The process dies before and after each thing that it does to the storage: nothing is lost, nothing is left."""
    day = days_ago(31)
    await make_day(database, day, SEEDED)
    before = await everything_of(database, day)
    counted = Counted(folder)
    await archive_days(database, counted, [day])
    await restore_day(database, folder, day)
    for step in range(1, counted.steps + 1):
        await run_and_crash(postgres_url, tmp_path / "archive", day, step)
        assert await everything_of(database, day) in (before, [])
        assert await everything_of(database, day) or await archived_day(database, day)
        if not await everything_of(database, day):
            # The database may not have noticed yet that the process, which held the lock, is gone.
            await eventually(partial(_restored, database, folder, day))
    (record,) = await archive_days(database, folder, [day])
    assert await folder.names(day.isoformat()) == sorted(
        ["manifest.json", *(entry["name"] for entry in record.manifest["files"])]
    )
    await restore_day(database, folder, day)
    assert await everything_of(database, day) == before


async def test_archiving_and_restoring_hold_little_however_long_the_day(database: Database, folder: Storage) -> None:
    """100,000 events, some 70 MB of them: files keep their bound, and memory does not grow with them."""
    day, bounds = days_ago(31), Bounds(file_bytes=8 * 1024 * 1024)
    await make_day(database, day, 100_000, text=300)
    before = start_measuring()
    (record,) = await retain(database, folder, bounds=bounds)
    await restore_day(database, folder, day)
    grown = peak_bytes() - before
    files = record.manifest["files"]
    raw = sum(entry["raw_bytes"] for entry in files)
    assert sum(entry["events"] for entry in files) == 100_000
    assert all(entry["raw_bytes"] < bounds.file_bytes + bounds.page * 1_000 for entry in files)
    assert all(entry["raw_bytes"] >= bounds.file_bytes for entry in files[:-1])
    assert grown < raw / 2
    assert (await database.fetch("select count(*) as events from saga.events"))[0]["events"] == 100_000


@pytest.mark.parametrize(
    ("day", "restored_at", "is_due"),
    [
        (date(2030, 2, 28), None, True),
        (date(2030, 3, 1), None, False),
        (date(2030, 3, 31), None, False),
        (date(2030, 4, 1), None, False),
        (date(2030, 1, 1), NOW - timedelta(days=6), False),
        (date(2030, 1, 1), NOW - timedelta(days=8), True),
    ],
)
def test_due_days_are_old_and_not_restored_lately(day: date, restored_at: datetime | None, is_due: bool) -> None:
    """A day is due when even its last event is older than the retention, and a week after it was restored."""
    assert bool(due_days([LoggedDay(day, restored_at)], timedelta(days=30), NOW)) is is_due


def test_due_days_never_hold_yesterday() -> None:
    """A retention of nothing keeps today and the day before."""
    days = [LoggedDay(date(2030, 3, number), None) for number in (28, 29, 30, 31)]
    assert due_days(days, timedelta(0), NOW) == [date(2030, 3, 28)]

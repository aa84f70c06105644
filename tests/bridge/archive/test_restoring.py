"""Days come back exactly as they were, or not at all."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.archive.archiving import Bounds, archive_days, retain
from bridge.archive.errors import ArchiveDamagedError, NotArchivedError
from bridge.archive.restoring import restore_day
from bridge.archive.storage import S3Access, Storage, open_storage
from store.archive import DayPresentError, archived_day
from store.database import Database, open_database
from store.event_reader import Cursor, horizon, read_after
from tests.bridge.archive.event_log_days import days_ago, everything_of, make_day, partitions
from tests.support.services.postgres import fresh_database

DAY = days_ago(31)
SMALL = Bounds(page=20, file_bytes=10_000)


async def test_restored_day_is_what_it_was(database: Database, storage: Storage) -> None:
    """Every column of every event, over several files; retention leaves it alone for a week."""
    await make_day(database, DAY, 333)
    before = await everything_of(database, DAY)
    (archived,) = await retain(database, storage, bounds=SMALL)
    assert len(archived.manifest["files"]) > 3
    restored = await restore_day(database, storage, DAY)
    assert restored == archived
    assert await everything_of(database, DAY) == before
    known = await archived_day(database, DAY)
    assert known is not None
    assert known.restored_at is not None
    assert await retain(database, storage) == []
    assert await partitions(database) == [DAY]


async def test_restored_day_can_leave_again_and_come_back(database: Database, folder: Storage) -> None:
    """Without waiting for a week, as often as one likes."""
    await make_day(database, DAY, 50)
    before = await everything_of(database, DAY)
    await retain(database, folder)
    for _ in range(2):
        await restore_day(database, folder, DAY)
        await archive_days(database, folder, [DAY])
        assert await partitions(database) == []
    await restore_day(database, folder, DAY)
    assert await everything_of(database, DAY) == before


async def test_restored_day_is_old_for_those_who_follow_the_log(database: Database, folder: Storage) -> None:
    """A reader that starts now does not get it; a reader that starts at the beginning does."""
    await make_day(database, DAY, 50)
    await retain(database, folder)
    now = await horizon(database)
    await restore_day(database, folder, DAY)
    assert await read_after(database, now, 100) == []
    assert len(await read_after(database, Cursor(), 100)) == 50


async def test_day_of_another_database_is_restored(
    database: Database, folder: Storage, request: pytest.FixtureRequest
) -> None:
    """The archive is enough: a new database that knows nothing of it gets the day."""
    await make_day(database, DAY, 50)
    before = await everything_of(database, DAY)
    await retain(database, folder)
    async with open_database(await fresh_database(request.getfixturevalue("postgres_service"))) as other:
        await restore_day(other, folder, DAY)
        assert await everything_of(other, DAY) == before
        assert await archived_day(other, DAY) is not None


async def test_empty_day_is_archived_and_restored(database: Database, folder: Storage) -> None:
    """A day on which nothing came has a manifest without files."""
    await make_day(database, DAY, 0)
    (record,) = await retain(database, folder)
    assert (record.events, record.manifest["files"]) == (0, [])
    await restore_day(database, folder, DAY)
    assert await partitions(database) == [DAY]


async def test_day_in_the_log_is_not_restored_over(database: Database, folder: Storage) -> None:
    """What is there stays, and the cure is named."""
    await make_day(database, DAY, 50)
    await retain(database, folder)
    await make_day(database, DAY, 3)
    with pytest.raises(DayPresentError, match=f"{DAY}"):
        await restore_day(database, folder, DAY)
    assert len(await everything_of(database, DAY)) == 3


async def test_day_that_was_never_archived_says_so(database: Database, folder: Storage) -> None:
    """With the day and where it was looked for."""
    with pytest.raises(NotArchivedError, match=f"{DAY} is not in {folder.location}"):
        await restore_day(database, folder, DAY)


def _flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def _one_line_less(content: bytes) -> bytes:
    return gzip.compress(b"".join(gzip.decompress(content).splitlines(keepends=True)[:-1]))


def _bomb(_: bytes) -> bytes:
    return gzip.compress(b"0" * 50_000_000)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(_flip, id="a bit"),
        pytest.param(lambda content: content[:-20], id="cut"),
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda content: content + b"more", id="longer"),
        pytest.param(_one_line_less, id="a line less"),
        pytest.param(lambda _: gzip.compress(b'{"position": 1}\n'), id="no event"),
        pytest.param(_bomb, id="bomb"),
        pytest.param(lambda _: b"plain", id="no gzip"),
        pytest.param(None, id="missing"),
    ],
)
async def test_damaged_file_is_refused_by_name_and_nothing_is_restored(
    database: Database, folder: Storage, tmp_path: Path, damage: Callable[[bytes], bytes] | None
) -> None:
    """The last of several files is damaged: file and checksum are named, and the log has nothing of the day."""
    await make_day(database, DAY, 100)
    (record,) = await retain(database, folder, bounds=SMALL)
    entry = record.manifest["files"][-1]
    place = tmp_path / "archive" / str(DAY) / entry["name"]
    if damage is None:
        place.unlink()
    else:
        place.write_bytes(damage(place.read_bytes()))
    with pytest.raises(ArchiveDamagedError, match=entry["name"]) as caught:
        await restore_day(database, folder, DAY)
    assert entry["sha256"] in str(caught.value)
    assert await partitions(database) == []
    assert await database.fetch("select to_regclass('saga.restored_events') as left") == [{"left": None}]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"format": 2}, id="later format"),
        pytest.param({"day": "2001-01-01"}, id="another day"),
        pytest.param({"events": 99}, id="another count"),
        pytest.param({"files": "none"}, id="no list"),
        pytest.param({"extra": 1}, id="unknown member"),
    ],
)
async def test_manifest_that_does_not_add_up_is_refused(
    database: Database, folder: Storage, tmp_path: Path, change: dict[str, object]
) -> None:
    """Whatever contradicts itself or the day that was asked for."""
    await make_day(database, DAY, 10)
    await retain(database, folder)
    place = tmp_path / "archive" / str(DAY) / "manifest.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | change))
    with pytest.raises(ArchiveDamagedError, match=f"{DAY}/manifest.json"):
        await restore_day(database, folder, DAY)


@pytest.mark.parametrize("name", ["../../../etc/passwd", "/etc/passwd", "events-0001.ndjson.gz", "manifest.json"])
async def test_manifest_cannot_name_files_elsewhere(
    database: Database, folder: Storage, tmp_path: Path, name: str
) -> None:
    """A name that is none of the archive's is refused before anything is opened."""
    await make_day(database, DAY, 10)
    await retain(database, folder)
    place = tmp_path / "archive" / str(DAY) / "manifest.json"
    manifest = json.loads(place.read_text())
    manifest["files"][0]["name"] = name
    place.write_text(json.dumps(manifest))
    with pytest.raises(ArchiveDamagedError, match="is no file of an archive"):
        await restore_day(database, folder, DAY)


async def test_forged_archive_is_not_the_one_on_record(database: Database, folder: Storage, tmp_path: Path) -> None:
    """A manifest that adds up but is another than the database remembers is refused."""
    await make_day(database, DAY, 10)
    await retain(database, folder)
    other = open_storage(str(tmp_path / "other"), S3Access())
    content = (tmp_path / "archive" / str(DAY) / "manifest.json").read_bytes()
    await other.put(f"{DAY}/manifest.json", content.replace(b'"handled": 7', b'"handled": 8'))
    with pytest.raises(ArchiveDamagedError, match="not the one on record"):
        await restore_day(database, other, DAY)

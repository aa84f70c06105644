"""How a day leaves the log and comes back, statement by statement."""

from __future__ import annotations

import json

import pytest

from store.archive import (
    ArchiveBusyError,
    DayChangedError,
    DayPresentError,
    DayRecord,
    Fingerprint,
    Line,
    abandon_restore,
    archive_lock,
    archived_days,
    begin_restore,
    finish_restore,
    leave_log,
    logged_days,
    read_lines,
)
from store.database import Database, open_database
from store.errors import TransactionConflictError
from store.event_log import ensure_days
from tests.bridge.archive.event_log_days import days_ago, everything_of, make_day, partitions

DAY, OTHER = days_ago(31), days_ago(30)
RECORD = DayRecord(DAY, "/archive", 5, 100, {"files": []})


async def _fingerprint(database: Database) -> Fingerprint:
    lines = await read_lines(database, DAY, None, 1000)
    handled = [line.handled_at for line in lines if line.handled_at is not None]
    return Fingerprint(len(lines), max(line.position for line in lines), len(handled), max(handled))


async def _every_line(database: Database, page: int) -> list[str]:
    found: list[Line] = []
    while lines := await read_lines(database, DAY, found[-1] if found else None, page):
        assert len(lines) <= page
        found.extend(lines)
    return [line.text for line in found]


async def test_days_are_those_with_a_partition(database: Database) -> None:
    """Those that the bridge makes for itself as well."""
    made = await ensure_days(database, 1)
    await make_day(database, DAY, 1)
    assert [each.day for each in await logged_days(database)] == [DAY, *made]


async def test_lines_come_by_pages_each_event_once(database: Database) -> None:
    """In the order of the log, whatever the size of a page; another day's events are not among them."""
    await make_day(database, DAY, 25)
    await make_day(database, OTHER, 5)
    lines = await _every_line(database, 10)
    assert [json.loads(line)["envelope"]["data"]["number"] for line in lines] == list(range(1, 26))
    assert await _every_line(database, 3) == lines


async def test_lines_do_not_depend_on_the_zone_of_the_session(database: Database, postgres_url: str) -> None:
    """The same day gives the same bytes everywhere; a line break within an envelope is none in the line."""
    await make_day(database, DAY, 3)
    await database.fetch("update saga.events set envelope = e'{\n\"data\":\\r\n{}}' where position = 1")
    lines = await _every_line(database, 10)
    assert not any("\n" in line or "\r" in line for line in lines)
    assert json.loads(lines[0])["envelope"] == {"data": {}}
    async with open_database(f"{postgres_url}?timezone=Asia/Kathmandu") as elsewhere:
        zone = await elsewhere.fetch("select current_setting('timezone') as zone")
        assert zone == [{"zone": "Asia/Kathmandu"}]
        assert await _every_line(elsewhere, 10) == lines


async def test_lock_is_held_by_one_and_freed_at_the_end(database: Database) -> None:
    """It holds no reader up: its transaction has no number."""
    async with archive_lock(database):
        numbered = "select pid from pg_stat_activity where datname = current_database() and backend_xid is not null"
        assert await database.fetch(numbered) == []
        with pytest.raises(ArchiveBusyError):
            async with archive_lock(database):
                pass
    async with archive_lock(database):
        pass


async def test_day_leaves_with_its_record_and_others_stay(database: Database) -> None:
    """Partition and record change together."""
    await make_day(database, DAY, 5)
    await make_day(database, OTHER, 5)
    await leave_log(database, RECORD, await _fingerprint(database))
    assert await partitions(database) == [OTHER]
    assert [each.day for each in await archived_days(database)] == [DAY]


@pytest.mark.parametrize(
    "change",
    [
        "update saga.events set outcome = 'held', handled_at = now() where position = 2",
        "delete from saga.events where position = 5",
        "insert into saga.events (day, event_id, event_type, event_version, source, occurred_at, correlation_id,"
        " envelope) select day, 'more', 'a', '1.0', '', now(), 'c', '{}' from saga.events where position = 1",
    ],
)
async def test_day_that_changed_does_not_leave(database: Database, change: str) -> None:
    """A mark, a loss and an addition are all seen, and nothing is done."""
    await make_day(database, DAY, 5)
    archived = await _fingerprint(database)
    await database.fetch(change)
    with pytest.raises(DayChangedError):
        await leave_log(database, RECORD, archived)
    assert await partitions(database) == [DAY]
    assert await archived_days(database) == []


async def test_day_in_use_does_not_leave_and_holds_nobody_up(database: Database) -> None:
    """It gives up after two seconds, so that writers do not queue behind it for longer."""
    await make_day(database, DAY, 5)
    archived = await _fingerprint(database)
    async with database.transaction() as reader:
        await reader.fetch("select count(*) from saga.events")
        with pytest.raises(TransactionConflictError):
            await leave_log(database, RECORD, archived)
    assert await partitions(database) == [DAY]


async def test_restore_replaces_an_empty_partition_only(database: Database) -> None:
    """Events that are there are never dropped for those of an archive."""
    await make_day(database, DAY, 0)
    await begin_restore(database, DAY)
    await finish_restore(database, RECORD)
    assert await partitions(database) == [DAY]
    await database.fetch("select saga.drop_day($1)", DAY)
    await begin_restore(database, DAY)
    await database.fetch("alter table saga.restored_events rename to aside")
    await make_day(database, DAY, 3)
    await database.fetch("alter table saga.aside rename to restored_events")
    with pytest.raises(DayPresentError):
        await finish_restore(database, RECORD)
    await abandon_restore(database)
    assert len(await everything_of(database, DAY)) == 3
    with pytest.raises(DayPresentError):
        await begin_restore(database, DAY)

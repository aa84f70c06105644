"""`saga events restore`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cli.exits import Exit
from store.database import open_database
from tests.bridge.archive.event_log_days import days_ago, everything_of, make_day, partitions
from tests.support.command_line import Shell

DAY, OTHER = days_ago(31), days_ago(32)


@pytest.fixture
async def archived(shell: Shell, postgres_url: str) -> Shell:
    """A shell whose database had two days, which are in the archive now."""
    async with open_database(postgres_url) as database:
        for day in (DAY, OTHER):
            await make_day(database, day, 10)
    logging = shell.with_environment(SAGA_DATABASE_URL=postgres_url)
    assert (await logging.saga("events", "archive")).code == Exit.OK
    return logging


async def test_restore_brings_several_days_back(archived: Shell, postgres_url: str) -> None:
    """From where each was archived."""
    finished = await archived.saga("events", "restore", str(DAY), str(OTHER))
    assert (finished.code, finished.out.count("Restored")) == (Exit.OK, 2), finished.err
    async with open_database(postgres_url) as database:
        assert len(await everything_of(database, DAY)) == 10
        assert await partitions(database) == [OTHER, DAY]


async def test_restore_takes_a_copy_of_the_archive(archived: Shell, postgres_url: str, tmp_path: Path) -> None:
    """`--location` is another place than the one on record."""
    shutil.move(archived.folder / ".saga" / "archive", tmp_path / "moved")
    missing = await archived.saga("events", "restore", str(DAY))
    assert missing.code == Exit.BAD_INPUT
    assert "not in the archive" in missing.err
    found = await archived.saga("events", "restore", str(DAY), "--location", str(tmp_path / "moved"))
    assert found.code == Exit.OK, found.err


async def test_restore_of_a_damaged_file_names_it_and_restores_nothing(archived: Shell, postgres_url: str) -> None:
    """The exit code is that of bad input; the day is not in the log."""
    (file,) = (archived.folder / ".saga" / "archive" / str(DAY)).glob("events-*")
    file.write_bytes(file.read_bytes()[:-9])
    finished = await archived.saga("events", "restore", str(DAY))
    assert finished.code == Exit.BAD_INPUT
    assert file.name in finished.err
    assert "SHA-256" in finished.err
    async with open_database(postgres_url) as database:
        assert await partitions(database) == []


async def test_restore_refuses_what_is_no_day(archived: Shell) -> None:
    """With an example of one."""
    finished = await archived.saga("events", "restore", "monday")
    assert finished.code == Exit.BAD_INPUT
    assert "no day such as 2030-01-31" in finished.err

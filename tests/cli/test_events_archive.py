"""`saga events archive` and its list, with a folder and with a real S3 server."""

from __future__ import annotations

import pytest

from cli.exits import Exit
from store.database import open_database
from tests.bridge.archive.event_log_days import days_ago, make_day, partitions
from tests.support.command_line import CLOSED, Shell
from tests.support.services.s3 import S3Server

OLD, OLDER, YOUNG = days_ago(31), days_ago(40), days_ago(5)


@pytest.fixture
async def logging(shell: Shell, postgres_url: str) -> Shell:
    """A shell whose database has three days of events."""
    async with open_database(postgres_url) as database:
        for day in (OLD, OLDER, YOUNG):
            await make_day(database, day, 10)
    return shell.with_environment(SAGA_DATABASE_URL=postgres_url)


async def _left(url: str) -> list[object]:
    async with open_database(url) as database:
        return list(await partitions(database))


async def test_archive_takes_old_days_into_the_state_folder(logging: Shell, postgres_url: str) -> None:
    """30 days by default, in `.saga/archive`; the list shows them; a second time there is nothing to do."""
    finished = await logging.saga("events", "archive")
    assert finished.code == Exit.OK, finished.err
    assert f"{OLDER}: 10 events" in finished.out
    assert await _left(postgres_url) == [YOUNG]
    assert (logging.folder / ".saga" / "archive" / str(OLD) / "manifest.json").is_file()
    listed = await logging.saga("events", "archive", "list", "--json")
    assert [(day["day"], day["events"], day["files"]) for day in listed.json] == [
        (str(OLDER), 10, 1),
        (str(OLD), 10, 1),
    ]
    assert str(OLD) in (await logging.saga("events", "archive", "list")).out
    assert "No day is old enough." in (await logging.saga("events", "archive")).out


async def test_archive_dry_run_says_which_days_and_moves_none(logging: Shell, postgres_url: str) -> None:
    """`--before` is a day of the log."""
    finished = await logging.saga("events", "archive", "--before", str(OLD), "--dry-run")
    assert str(OLDER) in finished.out
    assert str(OLD) not in finished.out.replace(str(OLDER), "")
    assert await _left(postgres_url) == [OLDER, OLD, YOUNG]


async def test_archive_and_restore_with_s3(
    logging: Shell, postgres_url: str, s3_server: S3Server, s3_location: str
) -> None:
    """The usual variables of AWS say where and with which key; a restored day leaves again with --drop."""
    shell = logging.with_environment(**s3_server.environment, SAGA_ARCHIVE=s3_location)
    archived = await shell.saga("events", "archive", "--older-than", "35d")
    assert f"at {s3_location}" in archived.out, archived.err
    restored = await logging.with_environment(**s3_server.environment).saga("events", "restore", str(OLDER))
    assert restored.code == Exit.OK, restored.err
    assert await _left(postgres_url) == [OLDER, OLD, YOUNG]
    dropped = await shell.saga("events", "archive", "--drop", str(OLDER))
    assert dropped.code == Exit.OK, dropped.err
    assert await _left(postgres_url) == [OLD, YOUNG]


async def test_archive_whose_storage_is_away_keeps_the_days(logging: Shell, postgres_url: str) -> None:
    """The exit code is that of a service; the key is in no message."""
    hidden = "hidden-key"
    shell = logging.with_environment(
        AWS_ENDPOINT_URL=f"http://{CLOSED}", AWS_ACCESS_KEY_ID="key", AWS_SECRET_ACCESS_KEY=hidden, AWS_REGION="x"
    )
    finished = await shell.saga("events", "archive", "--location", "s3://events/x")
    assert finished.code == Exit.UNREACHABLE
    assert CLOSED in finished.err
    assert hidden not in finished.err
    assert await _left(postgres_url) == [OLDER, OLD, YOUNG]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--before", "2030-01-01", "--older-than", "3d"], "exclude each other"),
        (["--before", "soon"], "no day such as"),
        (["--older-than", "a while"], "no duration"),
        (["--drop", "2001-01-01"], "no restored day"),
        (["--location", "ftp://x"], "neither a folder nor"),
    ],
)
async def test_archive_refuses_what_makes_no_sense(logging: Shell, arguments: list[str], said: str) -> None:
    """With a plain sentence and the exit code for bad input."""
    finished = await logging.saga("events", "archive", *arguments)
    assert finished.code == Exit.BAD_INPUT
    assert said in finished.err

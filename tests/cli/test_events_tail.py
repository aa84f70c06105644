"""`saga events tail`, against a real log that is written to meanwhile."""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncIterator

import pytest

from cli.exits import Exit
from store.database import Database, Session, open_database
from tests.bridge.archive.event_log_days import days_ago, make_day
from tests.support.command_line import Shell, until_line

_WRITE = """
insert into saga.events (
    day, event_id, event_type, event_version, source, occurred_at, correlation_id, group_key, envelope,
    outcome, effects, handled_at
)
select (now() at time zone 'utc')::date, $1, $2, '1.0', 'shop', now(), $1, 'key-7', '{}', 'dispatched',
    '{"r": {"kind": "start", "workflow_id": "order/7"}}', now()
"""


@pytest.fixture
async def log(postgres_url: str) -> AsyncIterator[Database]:
    """The log, with a day in it."""
    async with open_database(postgres_url) as database:
        await make_day(database, days_ago(1), 30)
        await database.fetch("select saga.ensure_days(1)")
        yield database


@pytest.fixture
def logging(shell: Shell, postgres_url: str, log: Database) -> Shell:
    """A shell with that log."""
    return shell.with_environment(SAGA_DATABASE_URL=postgres_url)


async def _write(session: Session, event_id: str, event_type: str = "order.placed") -> None:
    await session.execute(_WRITE, event_id, event_type)


async def test_tail_shows_the_latest_and_ends(logging: Shell) -> None:
    """The last 10 in their order, one line each, without waiting for more."""
    finished = await logging.saga("events", "tail", "--no-follow")
    assert finished.code == Exit.OK, finished.err
    lines = finished.out.splitlines()
    assert [line.split()[3].rpartition("-")[2] for line in lines] == [str(number) for number in range(21, 31)]
    assert "key=k-1" in lines[0]


async def test_tail_filters_by_type_and_time(logging: Shell) -> None:
    """Several patterns; --since begins in the past whatever -n says."""
    typed = await logging.saga("events", "tail", "--no-follow", "--type", "stock.#", "--type", "x.y", "-n", "100")
    assert len(typed.out.splitlines()) == 10
    assert "order" not in typed.out
    since = await logging.saga("events", "tail", "--no-follow", "--since", "3d", "--json")
    documents = [json.loads(line) for line in since.out.splitlines()]
    assert len(documents) == 30
    assert documents[1]["effects"] == {"r-2": {"kind": "start"}}
    assert documents[0].keys() >= {"event_id", "event_type", "key", "outcome", "envelope", "recorded_at"}
    assert (await logging.saga("events", "tail", "--no-follow", "--since", "1m")).out == ""


async def test_tail_follows_and_skips_nothing_that_commits_late(logging: Shell, log: Database) -> None:
    """An event whose transaction began first and ended last is shown too; Ctrl-C is a quiet end."""
    async with logging.running("events", "tail", "-n", "1") as process:
        await until_line(process, f"e-{days_ago(1)}-30")
        async with log.transaction() as late:
            await _write(late, "late")
            async with log.transaction() as quick:
                await _write(quick, "quick")
        seen = await until_line(process, "quick")
        if not any("late" in line for line in seen):
            seen += await until_line(process, "late")
        assert any("order/7" in line and "dispatched" in line for line in seen)
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
        assert (process.returncode, err) == (Exit.OK, b"")


async def test_tail_waits_a_moment_for_the_outcome(logging: Shell, log: Database) -> None:
    """An event that is in hand when it is first seen is shown with what became of it."""
    async with logging.running("events", "tail", "-n", "1") as process:
        await until_line(process, f"e-{days_ago(1)}-30")
        async with log.transaction() as session:
            await _write(session, "new")
            await session.execute("update saga.events set outcome = null, effects = null where event_id = 'new'")
        async with log.transaction() as session:
            await session.execute("update saga.events set outcome = 'unrouted' where event_id = 'new'")
        (*_, line) = await until_line(process, "new")
        assert "unrouted" in line


async def test_tail_shows_no_control_characters(logging: Shell, log: Database) -> None:
    """What a producer put into an id is no command to a terminal."""
    async with log.transaction() as session:
        await _write(session, "evil\x1b[2J\x07")
    finished = await logging.saga("events", "tail", "--no-follow", "-n", "1")
    assert "evil[2J" in finished.out
    assert "\x1b[2J" not in finished.out

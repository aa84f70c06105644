"""`saga events replay`, against a real log and a real broker."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import AsyncIterator

import aio_pika
import pytest
from aio_pika.abc import AbstractQueue

from bridge.selection import PAGE
from cli.exits import Exit
from store.database import open_database
from tests.bridge.archive.event_log_days import days_ago, make_day
from tests.support.command_line import Shell, until_line
from tests.support.waiting import eventually

DAY = days_ago(4)
SPAN = ("--from", str(DAY), "--to", str(days_ago(3)))
_WITH_KEYS = """
update saga.events set envelope = replace(envelope::text, '"metadata":{}', '"metadata":{"group_id":"g"}')::json
"""
EVERY_ID = {f"e-{DAY}-{number}" for number in range(1, 121)}


@pytest.fixture
async def logging(shell: Shell, postgres_url: str, amqp_url: str) -> Shell:
    """A shell whose log has 120 events of one day."""
    async with open_database(postgres_url) as database:
        await make_day(database, DAY, 120)
    return shell.with_environment(SAGA_DATABASE_URL=postgres_url, SAGA_AMQP_URL=amqp_url)


@pytest.fixture
async def queue(amqp_url: str) -> AsyncIterator[AbstractQueue]:
    """A queue that gets all events."""
    async with await aio_pika.connect(amqp_url) as connection, connection.channel() as channel:
        exchange = await channel.declare_exchange("events", "topic", durable=True)
        made = await channel.declare_queue("mine", durable=True)
        await made.bind(exchange, "#")
        yield made


async def _taken(queue: AbstractQueue) -> list[str]:
    found = []
    while message := await queue.get(fail=False, no_ack=True):
        found.append(str(message.message_id))
    return found


async def _first_of(queue: AbstractQueue) -> list[str]:
    first: list[str] = []

    async def begun() -> bool:
        first.extend(await _taken(queue))
        return bool(first)

    await eventually(begun)
    return first


async def test_replay_dry_run_counts_by_type_and_publishes_nothing(logging: Shell, queue: AbstractQueue) -> None:
    """And shows the first few."""
    finished = await logging.saga("events", "replay", *SPAN, "--type", "order.*", "--dry-run")
    assert finished.code == Exit.OK, finished.err
    assert re.search(r"order\.paid +40", finished.out)
    assert "80 events would be published" in finished.out
    assert f"e-{DAY}-1\n" in finished.out
    assert await _taken(queue) == []


async def test_replay_publishes_and_says_how_it_ended(logging: Shell, queue: AbstractQueue) -> None:
    """With the filter, marked as a replay; no bar where nobody looks."""
    finished = await logging.saga("events", "replay", *SPAN, "--filter", "event.data.number <= 30", "--again", "--yes")
    assert finished.code == Exit.OK, finished.err
    assert "120 of 120 passed, 30 published" in finished.out
    assert "Replaying" not in finished.err
    message = await queue.get(no_ack=True)
    assert message is not None
    assert json.loads(message.body)["metadata"]["replay"]["again"] is True
    assert len(await _taken(queue)) == 29


async def test_replay_goes_by_topology_and_settings(logging: Shell, queue: AbstractQueue, postgres_url: str) -> None:
    """The class is the one that the bridge would give, the form the one that is set."""
    async with open_database(postgres_url) as database, database.transaction() as session:
        await session.execute(_WITH_KEYS)
    logging.write("definitions/topology.yaml", "priorities: {high: {from: 2}, normal: {from: 1}}\n")
    shell = logging.with_environment(SAGA_EVENT_FORM="cloudevents")
    finished = await shell.saga("events", "replay", *SPAN, "--yes")
    assert finished.code == Exit.OK, finished.err
    message = await queue.get(no_ack=True)
    assert message is not None
    assert json.loads(message.body)["specversion"] == "1.0"
    assert (message.priority, message.headers["x-priority-class"]) == (1, "normal")


async def test_replay_that_is_interrupted_is_resumed(logging: Shell, queue: AbstractQueue) -> None:
    """Ctrl-C says how to go on; going on publishes the rest; once finished it does nothing more."""
    async with logging.running("events", "replay", *SPAN, "--rate", "20", "--yes") as process:
        await until_line(process, "Replay ", on_stderr=True)
        first = await _first_of(queue)
        process.send_signal(signal.SIGINT)
        (*_, line) = await until_line(process, "To go on", on_stderr=True)
        assert await process.wait() == Exit.INTERRUPTED
    identity = line.split()[-1]
    finished = await logging.saga("events", "replay", "--resume", identity)
    assert finished.code == Exit.OK, finished.err
    assert "120 of 120 passed" in finished.out
    assert {*first, *await _taken(queue)} == EVERY_ID
    assert "is finished" in (await logging.saga("events", "replay", "--resume", identity)).out
    assert await _taken(queue) == []


async def test_replay_that_is_killed_is_resumed(logging: Shell, queue: AbstractQueue) -> None:
    """Nothing is left out; what is published twice is less than a page, with the same ids."""
    async with logging.running("events", "replay", *SPAN, "--rate", "20", "--yes") as process:
        (line,) = await until_line(process, "Replay ", on_stderr=True)
        first = await _first_of(queue)
        process.kill()
        await process.wait()
    finished = await logging.saga("events", "replay", "--resume", line.split()[1].rstrip(":"))
    assert finished.code == Exit.OK, finished.err
    published = [*first, *await _taken(queue)]
    assert set(published) == EVERY_ID
    assert len(published) - len(EVERY_ID) <= PAGE


async def test_replay_of_archived_days_names_the_command(logging: Shell) -> None:
    """What to restore first."""
    await logging.saga("events", "archive", "--before", str(days_ago(3)))
    finished = await logging.saga("events", "replay", *SPAN, "--yes")
    assert finished.code == Exit.BAD_INPUT
    assert f"saga events restore {DAY}" in finished.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--from says where to begin"),
        (["--from", "2030-01-02", "--to", "2030-01-01"], "must be before"),
        (["--from", "soon"], "is no moment"),
        (["--from", "2h", "--filter", "event.data.total >", "--dry-run"], "At character"),
        (["--from", "2h", "--rate", "0"], "rate"),
        (["--resume", "5f3c9a52-7c0e-4a53-9f0b-1f6f3f0e8f11"], "no such replay"),
    ],
)
async def test_replay_refuses_what_makes_no_sense(logging: Shell, arguments: list[str], said: str) -> None:
    """With a plain sentence and the exit code for bad input."""
    finished = await logging.saga("events", "replay", *arguments)
    assert finished.code == Exit.BAD_INPUT
    assert said in finished.err


async def test_replay_of_nothing_says_so(logging: Shell) -> None:
    """No event fits: nothing is asked, nothing is put on record."""
    finished = await logging.saga("events", "replay", *SPAN, "--type", "no.such.type")
    assert (finished.code, finished.out) == (Exit.OK, "No event fits; nothing was published.\n")

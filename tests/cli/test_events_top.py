"""`saga events top` against real PostgreSQL and RabbitMQ."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import aio_pika
import pytest
from rich.console import Console

from bridge.depths import QueueDepth
from cli.exits import Exit
from cli.top import Look, drawn, to_json
from contracts.envelope import Event
from store.bridges import BridgeRow, beat
from store.database import Database
from store.event_log import Arrival, Mark, digest_of, ensure_days, mark, record
from store.top import Figures, Rate
from tests.bridge.library import event
from tests.support.command_line import CLOSED, Shell

BREAKERS: Any = {"breakers": {"temporal": "open", "rabbitmq": "closed"}, "in_hand": 4}
NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
FIGURES = Figures(timedelta(seconds=90), 2, 3, 1, timedelta(seconds=7), 5, 6, 1)


@pytest.fixture
def looking(shell: Shell, database: Database, postgres_url: str, amqp_url: str) -> Shell:
    """A shell with a database and a broker."""
    del database  # it has made the schema
    return shell.with_environment(SAGA_DATABASE_URL=postgres_url, SAGA_AMQP_URL=amqp_url)


async def _flow(database: Database, amqp_url: str) -> None:
    """Two events of which one has its outcome, a bridge, and a queue with a message."""
    await ensure_days(database)
    done, open_one = event("order.placed", 1, "evt-1"), event("order.placed", 2, "evt-2")
    await record(database, [_arrival(done), _arrival(open_one)], timedelta(days=1))
    await mark(database, [Mark(done.id, "unrouted")])
    await beat(database, uuid.uuid4(), "host-a", 17, True, BREAKERS)
    connection = await aio_pika.connect(amqp_url)
    async with connection, connection.channel() as channel:
        await channel.declare_queue("saga.events", durable=True)
        await channel.default_exchange.publish(aio_pika.Message(b"x"), "saga.events")


def _arrival(given: Event) -> Arrival:
    return Arrival(given, None, 0, digest_of(given))


async def test_top_tells_rates_queues_and_bridges_as_json(looking: Shell, database: Database, amqp_url: str) -> None:
    """The same as people see, for scripts."""
    await _flow(database, amqp_url)
    document = (await looking.saga("events", "top", "--json")).json
    assert document["types"] == [{"type": "order.placed", "events": 2, "open": 1, "outcomes": {"unrouted": 1}}]
    assert document["lag_seconds"] > 0
    assert document["queues"] == [{"queue": "saga.events", "messages": 1, "consumers": 0}]
    [bridge] = document["bridges"]
    assert (bridge["host"], bridge["pid"], bridge["state"]) == ("host-a", 17, BREAKERS)


async def test_top_prints_one_look_where_nobody_watches(looking: Shell, database: Database, amqp_url: str) -> None:
    """With `--once`, and where the output is no terminal."""
    await _flow(database, amqp_url)
    for arguments in ((), ("--once",)):
        finished = await looking.saga("events", "top", *arguments)
        assert finished.code == Exit.OK, finished.err
        for words in ("2 events in the last minute", "order.placed", "1 unrouted", "saga.events", "host-a:17", "open"):
            assert words in finished.out


async def test_top_without_a_broker_shows_the_rest(looking: Shell) -> None:
    """It says that the queues are not known."""
    alone = looking.with_environment(SAGA_AMQP_URL=f"amqp://u:secret@{CLOSED}/")
    finished = await alone.saga("events", "top", "--once")
    assert finished.code == Exit.OK, finished.err
    assert "RabbitMQ does not answer" in finished.out
    assert "No bridge is alive" in finished.out
    assert (await alone.saga("events", "top", "--json")).json["queues"] is None


async def test_top_without_a_database_is_a_plain_error(shell: Shell) -> None:
    """There is nothing to look at."""
    finished = await shell.saga("events", "top", "--once")
    assert finished.code == Exit.UNREACHABLE
    assert "PostgreSQL" in finished.err
    assert "secret" not in finished.err


def _look(*, rates: int = 1, bridges: int = 1) -> Look:
    queues = [QueueDepth("saga.low.0", 1, 1), QueueDepth("saga.high.0", 900, 0)]
    rows = [BridgeRow(uuid.uuid4(), "h\x1b[31m", number, NOW, NOW, True, BREAKERS) for number in range(bridges)]
    kinds = [Rate(f"type.{number}", 60, {"dispatched": 60}, 0) for number in range(rates)]
    return Look(NOW + timedelta(minutes=5), kinds, FIGURES, queues, rows)


def _text(look: Look) -> str:
    console = Console(width=100)
    with console.capture() as capture:
        console.print(drawn(look))
    return capture.get()


def test_drawing_says_what_waits() -> None:
    """Lag, dead letters, outbox, held and delayed events, the fullest queue first, how long a bridge is up."""
    text = _text(_look())
    for words in ("lag 2 min", "dead letters 2", "outbox 3 (7.0 s)", "parked 1", "held 5  delayed 6", "1.0", "5 min"):
        assert words in text
    assert text.index("saga.high.0") < text.index("saga.low.0")


def test_drawing_is_bounded_and_obeys_no_data() -> None:
    """Very many types are cut, and control characters from outside do not reach the terminal."""
    text = _text(_look(rates=40))
    assert "and 25 more types" in text
    assert "\x1b[31m" not in text


def test_json_of_a_look_is_json() -> None:
    """Also with everything in it."""
    document = json.loads(json.dumps(to_json(_look())))
    assert document["outbox"] == {"depth": 3, "age_seconds": 7.0, "parked": 1}
    assert (document["held"], document["delayed"], document["dead_letters"]) == (5, 6, 2)

"""`saga events publish` against a real broker, and what it refuses before it speaks to one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
import pytest
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue

from bridge.envelope import Properties, decode
from bridge.topology.names import PRIORITY_HEADER
from contracts.envelope import Event
from tests.support.command_line import Shell
from tests.support.waiting import eventually

SCHEMA = "type: object\nrequired: [order_id]\nproperties: {order_id: {type: string}}\n"
PLACED = {
    "event_id": "e-1",
    "event_type": "order.placed",
    "timestamp": "2030-01-31T08:00:00Z",
    "data": {"order_id": "A"},
}


@pytest.fixture
def publishing(shell: Shell, amqp_url: str) -> Shell:
    """A folder with a schema, and a real broker."""
    shell.write("definitions/events/order.placed/1.0.yaml", SCHEMA)
    return shell.with_environment(SAGA_AMQP_URL=amqp_url)


@asynccontextmanager
async def _subscribed(url: str) -> AsyncIterator[AbstractQueue]:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.declare_exchange("events", aio_pika.ExchangeType.TOPIC, durable=True)
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind("events", "#")
        yield queue


async def _take(queue: AbstractQueue) -> AbstractIncomingMessage:
    taken: list[AbstractIncomingMessage] = []

    async def there() -> bool:
        message = await queue.get(no_ack=True, fail=False)
        taken.extend([message] if message else [])
        return message is not None

    await eventually(there)
    return taken[0]


def _decoded(message: AbstractIncomingMessage) -> Event:
    return decode(message.body, Properties(headers=message.headers, content_type=message.content_type))


@pytest.mark.parametrize("form", ["saga", "cloudevents", "cloudevents-binary"])
async def test_publish_sends_an_event_in_each_form(publishing: Shell, amqp_url: str, form: str) -> None:
    """What arrives is the event that was given, whatever it is written as."""
    arguments = ["--type", "order.placed", "--data", '{"order_id": "A"}', "--source", "shop", "--key", "A"]
    more = ["--id", "e-7", "--priority", "9", "--expires-in", "1h", "--form", form]
    async with _subscribed(amqp_url) as queue:
        finished = await publishing.saga("events", "publish", *arguments, *more)
        message = await _take(queue)
    event = _decoded(message)
    assert (finished.code, finished.out, finished.err) == (0, "e-7\n", "")
    assert (event.id, event.type, event.source, event.data) == ("e-7", "order.placed", "shop", {"order_id": "A"})
    assert event.expires_at is not None
    assert (event.expires_at - event.time).total_seconds() == 3600
    assert (message.priority, message.headers[PRIORITY_HEADER]) == (7, 9)
    assert (message.routing_key, message.headers["x-group-id"]) == ("order.placed", "A")


async def test_publish_goes_by_topology_and_settings(publishing: Shell, amqp_url: str) -> None:
    """The class is the one that the bridge would give, the form the one that is set; --form is stronger."""
    publishing.write("definitions/topology.yaml", "priorities: {high: {from: 5}, normal: {from: 2}}\n")
    shell = publishing.with_environment(SAGA_EVENT_FORM="cloudevents")
    arguments = ["--type", "order.placed", "--data", '{"order_id": "A"}', "--key", "A", "--priority", "5"]
    async with _subscribed(amqp_url) as queue:
        for more, member in (((), "specversion"), (("--form", "saga"), "event_id")):
            finished = await shell.saga("events", "publish", *arguments, *more)
            assert finished.code == 0, finished.err
            message = await _take(queue)
            assert (message.headers["x-priority-class"], member in json.loads(message.body)) == ("high", True)


async def test_publish_refuses_a_topology_with_mistakes(publishing: Shell) -> None:
    """They are shown with their lines, and nothing is published."""
    publishing.write("definitions/topology.yaml", "partitons: 8\n")
    finished = await publishing.saga("events", "publish", "--type", "order.placed", "--data", '{"order_id": "A"}')
    assert (finished.code, finished.out) == (2, "")
    assert "did you mean 'partitions'?" in finished.err


async def test_publish_sends_lines_in_their_order_and_counts(publishing: Shell, amqp_url: str) -> None:
    """What is refused does not stop the others; its line and its reason are said."""
    lines = [
        json.dumps(PLACED),
        "",
        json.dumps(PLACED | {"event_id": "e-2", "data": {"order_id": 7}}),
        json.dumps({"specversion": "1.0", "id": "c-1", "type": "order.sent", "source": "/shop", "data": 1}),
        json.dumps({"data": {"order_id": "B"}}),
    ]
    async with _subscribed(amqp_url) as queue:
        finished = await publishing.saga("events", "publish", "-", "--type", "order.placed", stdin="\n".join(lines))
        events = [_decoded(await _take(queue)) for _ in range(3)]
    assert finished.code == 2
    assert "(line 3)" in finished.err
    assert "`/data/order_id`" in finished.err
    assert "3 events published, 1 refused." in finished.err
    assert [event.id for event in events] == finished.out.split()
    assert [event.type for event in events] == ["order.placed", "order.sent", "order.placed"]


async def test_publish_reads_a_document_over_many_lines(publishing: Shell, amqp_url: str) -> None:
    """A pretty-printed event and a list of events are understood."""
    publishing.write("one.json", json.dumps(PLACED, indent=2))
    publishing.write("many.json", json.dumps([PLACED, PLACED | {"event_id": "e-2"}], indent=2))
    async with _subscribed(amqp_url) as queue:
        one = await publishing.saga("events", "publish", "one.json")
        many = await publishing.saga("events", "publish", "many.json")
        ids = [_decoded(await _take(queue)).id for _ in range(3)]
    assert (one.out.split(), many.out.split()) == (["e-1"], ["e-1", "e-2"])
    assert ids == ["e-1", "e-1", "e-2"]


async def test_publish_says_that_the_broker_is_away(shell: Shell) -> None:
    """Nothing is published, and the exit code says why."""
    finished = await shell.saga("events", "publish", "--type", "a.b", "--data", "1")
    assert (finished.code, finished.out) == (3, "")
    assert "RabbitMQ" in finished.err


async def test_publish_tries_without_a_broker(shell: Shell) -> None:
    """A dry run checks and sends nothing."""
    shell.write("definitions/events/order.placed/1.0.yaml", SCHEMA)
    shell.write("lines.ndjson", f"{json.dumps(PLACED)}\n{json.dumps(PLACED | {'data': {}})}\n")
    finished = await shell.saga("events", "publish", "lines.ndjson", "--dry-run")
    assert finished.code == 2
    assert '"order_id" is a required property' in finished.err
    assert "1 event could be published, 1 refused." in finished.err


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        ([], "", "Name a file"),
        (["-", "--data", "1"], "", "Name a file"),
        (["none.json"], "", "none.json cannot be read"),
        (["-", "--id", "x"], "{}", "--id is for one event"),
        (["-", "--dry-run"], "[1", "is no JSON"),
        (["-", "--dry-run"], '{"data": 1}\n{', "line 2 is no JSON"),
        (["-", "--dry-run"], "7", "not a JSON object"),
        (["-", "--dry-run"], '{"data": 1}', "`event_type`"),
        (["--data", "1", "--dry-run"], "", "`event_type`"),
        (["--type", "a.b", "--data", '"\\ud800"', "--dry-run"], "", "half a surrogate pair"),
        (["--type", "a.b", "--data", "1", "--expires-in", "soon"], "", "no duration"),
        (["--type", "a.b", "--data", "1", "--priority", "10"], "", "--priority"),
    ],
)
async def test_publish_refuses_what_cannot_be_an_event(
    shell: Shell, arguments: list[str], stdin: str, message: str
) -> None:
    """What is wrong is said in a line, before the broker is asked."""
    finished = await shell.saga("events", "publish", *arguments, stdin=stdin)
    assert (finished.code, message in finished.err) == (2, True), finished.err
    assert "Traceback" not in finished.err


async def test_publish_takes_an_event_with_null_as_its_data(shell: Shell) -> None:
    """`--data null` is data too."""
    finished = await shell.saga("events", "publish", "--type", "a.b", "--data", "null", "--dry-run")
    assert (finished.code, finished.out) == (0, "")

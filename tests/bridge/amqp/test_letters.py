"""Letters as RabbitMQ really delivers them: ours, the broker's own, and those of others."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aio_pika import Message
from aio_pika.abc import AbstractIncomingMessage
from pamqp.common import FieldTable

from bridge.amqp.delivery import Delivery
from bridge.amqp.letters import event_of, letter_of, priority_of
from bridge.envelope import decode
from bridge.errors import MalformedEventError
from bridge.topology.names import EXCHANGE_DEAD_LETTERS, PRIORITY_HEADER
from tests.bridge.library import event
from tests.support.bus import Bus

LETTERS = "letters"
BODY = json.dumps(event(data={"a": 1}).to_json()).encode()
OURS: dict[str, Any] = {
    "x-saga-code": "trigger-failed",
    "x-saga-reason": "There is no member 'x'.",
    "x-saga-attempts": 3,
    "x-saga-routing-key": "order.placed",
    "x-saga-exchange": "events",
    "x-saga-first-at": "2030-01-31T08:00:00+00:00",
    "x-saga-last-at": "2030-01-31T09:00:00+01:00",
    "x-saga-letter": "letter-1",
}


@pytest.fixture
async def letterbox(bus: Bus) -> AsyncIterator[Bus]:
    """A dead-letter exchange with a queue."""
    await bus.channel.declare_exchange(EXCHANGE_DEAD_LETTERS, "topic", durable=True)
    queue = await bus.channel.declare_queue(LETTERS, durable=True)
    await queue.bind(EXCHANGE_DEAD_LETTERS, "#")
    yield bus


async def put(bus: Bus, message: Message, key: str = "dlx.saga.events") -> AbstractIncomingMessage:
    """Publish a dead letter and take it from the queue."""
    exchange = await bus.channel.get_exchange(EXCHANGE_DEAD_LETTERS, ensure=False)
    await exchange.publish(message, key)
    return await bus.take(LETTERS)


async def died(bus: Bus, arguments: FieldTable, message: Message, *, refuse: bool = False) -> AbstractIncomingMessage:
    """Let the broker dead-letter a message from a queue with these arguments."""
    dying: FieldTable = {"x-dead-letter-exchange": EXCHANGE_DEAD_LETTERS, "x-dead-letter-routing-key": "dlx.saga.low.1"}
    queue = await bus.channel.declare_queue("saga.low.1", durable=True, arguments={**dying, **arguments})
    source = await bus.channel.declare_exchange("events", "topic", durable=True)
    await queue.bind(source, "#")
    await source.publish(message, "order.placed")
    if refuse:
        await (await queue.get()).reject(requeue="x-delivery-limit" in arguments)
    return await bus.take(LETTERS)


async def test_letter_is_read_from_our_headers(letterbox: Bus) -> None:
    """Code, reason, origin and times are what the bridge wrote; the event is found in the body."""
    letter = letter_of(await put(letterbox, Message(BODY, headers=OURS, content_type="application/json", priority=7)))
    assert (letter.letter_id, letter.code, letter.reason) == ("letter-1", "trigger-failed", "There is no member 'x'.")
    assert (letter.exchange, letter.routing_key, letter.attempts) == ("events", "order.placed", 3)
    moment = datetime(2030, 1, 31, 8, tzinfo=UTC)
    assert (letter.first_at, letter.last_at) == (moment, moment)
    assert (letter.event_id, letter.event_type, letter.body) == ("evt-1", "order.placed", BODY)
    assert (letter.content_type, priority_of(letter)) == ("application/json", 7)
    own = await put(letterbox, Message(BODY, headers={**OURS, PRIORITY_HEADER: 9}, priority=7))
    assert priority_of(letter_of(own)) == 9


@pytest.mark.parametrize(
    ("arguments", "refuse", "code", "words"),
    [
        ({"x-message-ttl": 1}, False, "expired", "waited in the queue saga.low.1"),
        ({}, True, "rejected", "queue saga.low.1 rejected it"),
        ({"x-max-length": 0}, False, "queue-full", "queue saga.low.1 was full"),
        ({"x-queue-type": "quorum", "x-delivery-limit": 0}, True, "gave-up", "queue saga.low.1 delivered it too often"),
    ],
)
async def test_letter_is_read_from_what_the_broker_wrote(
    letterbox: Bus, arguments: FieldTable, refuse: bool, code: str, words: str
) -> None:
    """The broker's own dead letters have a code and a reason too, and where they were first published."""
    letter = letter_of(await died(letterbox, arguments, Message(BODY, message_id="evt-1"), refuse=refuse))
    assert letter.code == code
    assert words in letter.reason
    assert (letter.exchange, letter.routing_key, letter.event_id) == ("events", "order.placed", "evt-1")
    assert abs(letter.last_at - datetime.now(UTC)) < timedelta(minutes=5)


async def test_letter_of_somebody_else_is_taken_as_it_is(letterbox: Bus) -> None:
    """Neither event nor reason: it is kept with what can be said about it."""
    strange: FieldTable = {
        "x-death": ["?"],
        "x-saga-attempts": "many",
        "deep": {"list": [1.5, bytearray(b"\xff"), None]},
    }
    message = await put(letterbox, Message(b"\x00\xff", headers=strange, message_id="m-1", type="t"), "dlx.saga.x")
    letter = letter_of(message)
    assert (letter.code, letter.attempts, letter.exchange, letter.routing_key) == (
        "unexplained",
        1,
        "dlx",
        "dlx.saga.x",
    )
    assert (letter.event_id, letter.event_type, letter.body) == ("m-1", "t", b"\x00\xff")
    assert letter.headers["deep"] == {"list": [1.5, "\ufffd", None]}
    with pytest.raises(MalformedEventError):
        event_of(letter)


async def test_letter_id_is_fixed_by_the_message(letterbox: Bus) -> None:
    """Without our header the same message gives the same id, and another message another one."""
    ids = [letter_of(await put(letterbox, Message(body, message_id="m-1"))).letter_id for body in (b"a", b"a", b"b")]
    assert ids[0] == ids[1] != ids[2]
    endless = letter_of(await put(letterbox, Message(b"a", message_id="m-1", headers={"x-saga-letter": "x" * 5_000})))
    assert endless.letter_id == ids[0]


async def test_event_is_the_one_that_was_sent(letterbox: Bus) -> None:
    """What stood in the properties still stands in for what the body lacks; another body makes another event."""
    envelope = {name: value for name, value in event().to_json().items() if name not in ("event_id", "timestamp")}
    when = datetime(2030, 1, 31, 8, tzinfo=UTC)
    sent = Message(json.dumps(envelope).encode(), message_id="m-1", timestamp=when, headers={"x-group-id": "g"})
    letter = letter_of(await put(letterbox, sent))
    assert (event_of(letter).id, event_of(letter).time, event_of(letter).group_id) == ("m-1", when, "g")
    assert event_of(letter, BODY).data == {"a": 1}


async def for_ever() -> timedelta:
    """Return for how long the delivery is ours."""
    return timedelta.max


async def test_event_in_binary_mode_is_the_one_that_was_sent(letterbox: Bus) -> None:
    """Attributes for which AMQP has types of its own are kept as what they read as."""
    said: FieldTable = {"specversion": "1.0", "id": "e", "source": "/till", "type": "a.b"}
    said |= {"mark": bytearray(b"\x00\xff"), "seen": datetime(2030, 1, 31, 8, tzinfo=UTC)}
    headers: FieldTable = {f"cloudEvents:{name}": value for name, value in said.items()}
    when = datetime(2030, 1, 1, tzinfo=UTC)
    message = await put(letterbox, Message(b"{}", headers=headers, content_type="application/json", timestamp=when))
    event_read = event_of(letter_of(message))
    assert event_read == decode(message.body, Delivery.of(message, "q", for_ever).properties)
    assert event_read.metadata == {"mark": "AP8=", "seen": "2030-01-31T08:00:00Z"}

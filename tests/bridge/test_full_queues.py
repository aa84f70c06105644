"""A queue that refuses what the bridge puts on: messages wait where they came from, and nothing else changes for them.

A full queue may stay full for hours. So it must cost the deliveries in hand none of the tries that they have, and the
consumers that have nothing to do with it no new session.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, MutableMapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from aio_pika import Message
from pamqp.common import FieldTable
from structlog.testing import capture_logs

from bridge.topology.names import EXCHANGE_DEAD_LETTERS, INBOX, class_exchange, retry_exchange
from store.database import open_database
from tests.bridge.environment import BridgeEnvironment
from tests.bridge.fault_injection import FaultInjector
from tests.bridge.library import event
from tests.bridge.test_metrics import Scrape
from tests.support.bus import DEAD_LETTERS, Bus
from tests.support.proxy import amqp_proxy
from tests.support.services.rabbitmq import Broker
from tests.support.waiting import eventually

pytestmark = pytest.mark.fault

FULL = "full"
REFUSALS = 5
FEW = 2
"""Deliveries that an event may have: fewer than there are refusals."""


@asynccontextmanager
async def full_queue(bus: Bus, exchange: str) -> AsyncIterator[None]:
    """An operator's queue at an exchange of ours, which refuses everything inside the block, and is gone afterwards."""
    arguments: FieldTable = {"x-max-length": 1, "x-overflow": "reject-publish"}
    queue = await bus.channel.declare_queue(FULL, durable=True, arguments=arguments)
    await bus.channel.default_exchange.publish(Message(b"the operator's"), FULL)
    await queue.bind(exchange, "#")
    yield
    await queue.delete(if_unused=False, if_empty=False)


@asynccontextmanager
async def limited(broker: Broker, url: str, queue: str, length: int) -> AsyncIterator[None]:
    """Let a policy of the operator's limit the length of a queue inside the block."""
    host = ("--vhost", urlsplit(url).path.removeprefix("/"))
    definition = json.dumps({"max-length": length, "overflow": "reject-publish"})
    await broker.control("set_policy", *host, "--apply-to", "queues", FULL, f"^{queue}$", definition)
    yield
    await broker.control("clear_policy", *host, FULL)


@dataclass(frozen=True)
class Watched:
    """What bridges say and count."""

    said: Sequence[MutableMapping[str, Any]]
    scrape: Scrape

    async def several(self) -> None:
        """Wait until a copy was refused several times, or a session ended so often, which `is_calm` then tells."""

        async def so_often() -> bool:
            refused = self.scrape.values("saga.publish.failures", "reason").get("refused", 0)
            return refused + len(self._lost) >= REFUSALS

        await eventually(so_often)

    @property
    def is_calm(self) -> bool:
        """Whether no session ended."""
        return self._lost == []

    @property
    def _lost(self) -> Sequence[MutableMapping[str, Any]]:
        return [each for each in self.said if each["event"] == "session_lost"]


@pytest.fixture
def watched() -> Iterator[Watched]:
    """See what bridges say and count."""
    scrape = Scrape()
    with capture_logs() as said:
        yield Watched(said, scrape)
    scrape.provider.shutdown()


async def test_full_queue_of_an_operator_holds_up_dead_letters_alone(
    env: BridgeEnvironment, bus: Bus, watched: Watched
) -> None:
    """Letters wait in the queues that they came from, others are handled, and in the end each letter says why it is."""
    keys = [env.key() for _ in range(10)]
    async with env.bridge(metrics=watched.scrape.metrics, deliveries=FEW):
        async with full_queue(bus, EXCHANGE_DEAD_LETTERS):
            await bus.publish_bytes(b"?", "a.b")
            await bus.publish(event("patient.note", {"id": "nobody", "say": "x"}, "poison"))
            await watched.several()
            await bus.publish_many(event("quick.go", {"id": key}, key) for key in keys)
            await env.outcomes.until(len(keys))
            assert {outcome.word for outcome in env.outcomes} == {"dispatched"}
        await env.outcomes.until(len(keys) + 2)
        letters = await env.letters(2)
    assert sorted(letter.code for letter in letters) == ["malformed-event", "run-not-found"]
    assert [await env.finished(f"quick/{key}") for key in keys] == [1] * len(keys)
    assert watched.is_calm


async def test_dead_letters_that_no_longer_fit_wait_where_they_came_from(
    env: BridgeEnvironment, bus: Bus, watched: Watched, rabbitmq_node: Broker
) -> None:
    """PostgreSQL is away and their own queue at its limit: all are there once it is back."""
    messages = [f"?{number}".encode() for number in range(300)]
    async with (
        amqp_proxy(env.database_url) as (line, url),
        open_database(url) as frail,
        env.bridge(metrics=watched.scrape.metrics, database=frail),
        limited(rabbitmq_node, env.amqp_url, DEAD_LETTERS, 10),
    ):
        line.cut()
        for message in messages:
            await bus.publish_bytes(message, "a.b")
        await watched.several()
        assert await bus.depth(INBOX) > 0
        line.mend()
        await env.outcomes.until(len(messages))
        await bus.becomes(DEAD_LETTERS, 0)
    letters = await env.database.fetch("select body from saga.dead_letters")
    assert sorted(letter["body"] for letter in letters) == sorted(messages)
    assert watched.is_calm


async def test_partition_that_refuses_takes_no_tries_from_what_is_sorted(
    env: BridgeEnvironment, bus: Bus, watched: Watched
) -> None:
    """What cannot be sorted stays in the inbox, and is no dead letter afterwards."""
    keys = [env.key() for _ in range(10)]
    async with env.bridge(metrics=watched.scrape.metrics, deliveries=FEW):
        async with full_queue(bus, class_exchange("low")):
            await bus.publish_many(event("quick.go", {"id": key}, key) for key in keys)
            await watched.several()
        await bus.all_taken()
        await env.begun(f"quick/{key}" for key in keys)
    assert [await env.finished(f"quick/{key}") for key in keys] == [1] * len(keys)
    assert await env.letters(0) == []
    assert watched.is_calm


async def test_delay_queue_that_is_full_takes_no_tries(env: BridgeEnvironment, bus: Bus, watched: Watched) -> None:
    """What failed for an unclear reason waits until it can be delayed, and succeeds then."""
    key = env.key()
    injector = FaultInjector("after-record", lambda _: True, times=1)
    metrics = watched.scrape.metrics
    async with env.bridge(metrics=metrics, deliveries=FEW, check=injector.check, reached=injector.reached):
        async with full_queue(bus, retry_exchange(0)):
            await bus.publish(event("quick.go", {"id": key}, key))
            await watched.several()
        await env.begun([f"quick/{key}"])
    # The delay queue has taken each copy that the operator's refused: they come as well, and are recognised.
    assert {outcome.word for outcome in env.outcomes} <= {"delayed", "dispatched", "duplicate"}
    assert await env.finished(f"quick/{key}") == 1
    assert watched.is_calm

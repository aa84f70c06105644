"""Where the contestants of `benchmarks.bridge` meet: one Temporal, one RabbitMQ, one PostgreSQL, one producer.

All is private to the benchmark and ends with it. PostgreSQL waits for the disk as in production. Whose turn it is has
the exchange `events` to itself: the other's queue is not bound then, so neither pays for the other's copies.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final, Literal

import aio_pika
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel
from temporalio.client import Client

from benchmarks.bridge_contestants import HAND_QUEUE, Result, Services, Turn
from benchmarks.bridge_counts import Counts, read_counts
from benchmarks.child_process import ChildProcess, child_process
from bridge.amqp.connection import connected
from bridge.amqp.topology import declare_queues
from bridge.settings import BridgeSettings
from bridge.topology.layout import direct_headers
from bridge.topology.names import EVENTS, INLET
from cli.stack import postgres, rabbitmq, temporal
from cli.stack.folder import StateFolder
from cli.stack.ports import choose_port
from contracts.envelope import Event
from contracts.json import Json
from store.database import Database, open_database

Name = Literal["product", "by-hand"]
ORDER: Final = "bench.order"
NOBODY: Final = "bench.nobody"
_IN_FLIGHT = 500
_SCHEMA = """\
type: object
required: [order_id, total, items]
properties:
  order_id: {type: string, minLength: 1, maxLength: 200}
  total: {type: number, minimum: 0}
  items:
    type: array
    minItems: 1
    items: {type: object, required: [sku, quantity], properties: {sku: {type: string}, quantity: {type: integer}}}
"""


@dataclass(frozen=True)
class Letter:
    """A message to be published."""

    body: bytes
    routing_key: str
    event_id: str
    headers: Mapping[str, str]
    priority: int


class Producer:
    """Publishes as a foreign service does, with confirms."""

    def __init__(self, channel: AbstractChannel) -> None:
        """Use a channel with confirms."""
        self._channel = channel

    async def give(self, whom: Name) -> None:
        """Let what is published go to this contestant alone."""
        underlay = await self._channel.get_underlay_channel()
        if whom == "product":
            await underlay.exchange_bind(INLET, EVENTS, routing_key="#")
            await underlay.queue_unbind(HAND_QUEUE, EVENTS, routing_key="#")
        else:
            await underlay.queue_bind(HAND_QUEUE, EVENTS, routing_key="#")
            await underlay.exchange_unbind(INLET, EVENTS, routing_key="#")

    async def publish(self, letter: Letter) -> None:
        """Publish one message; return when the broker has it."""
        exchange = await self._channel.get_exchange(EVENTS, ensure=False)
        message = Message(
            letter.body,
            headers=dict(letter.headers),
            delivery_mode=DeliveryMode.PERSISTENT,
            content_type="application/json",
            message_id=letter.event_id,
            priority=letter.priority,
        )
        await exchange.publish(message, letter.routing_key)

    async def publish_all(self, letters: Iterable[Letter]) -> None:
        """Publish in this order, some hundred in flight at a time."""
        rest = iter(letters)
        while batch := list(islice(rest, _IN_FLIGHT)):
            await asyncio.gather(*(self.publish(letter) for letter in batch))


class Contestant:
    """A process that takes turns."""

    def __init__(self, process: ChildProcess) -> None:
        """Talk to a process that has just begun."""
        self._process = process

    async def begin(self, turn: Turn) -> None:
        """Let a turn begin; return when it consumes."""
        await self._process.tell(asdict(turn))
        await self._process.answer()

    async def end(self) -> Result:
        """Wait for the end of the turn."""
        return Result(**await self._process.answer())

    async def stop(self) -> Result:
        """End a turn that would go on."""
        await self._process.tell({})
        return await self.end()

    async def introduce(self, services: Services) -> None:
        """Say where everything is."""
        await self._process.tell(asdict(services))


@dataclass(frozen=True)
class Arena:
    """The services, and who is there; `broker` is the environment of the broker's node."""

    services: Services
    broker: Mapping[str, str]
    database: Database
    producer: Producer
    folder: Path

    @asynccontextmanager
    async def contestant(self, name: Name) -> AsyncIterator[Contestant]:
        """Run a contestant's process inside the block."""
        async with child_process("benchmarks.bridge_contestants", name, self.folder) as process:
            contestant = Contestant(process)
            await contestant.introduce(self.services)
            yield contestant

    async def counts(self) -> Counts:
        """Return what the broker and PostgreSQL have counted so far."""
        return await read_counts(self.broker, self.database)


@asynccontextmanager
async def arena(storage: Mapping[str, str]) -> AsyncIterator[Arena]:
    """Start the services; `storage` is how Temporal's file is written."""
    with tempfile.TemporaryDirectory(prefix="saga-bench-") as name:
        # PostgreSQL refuses to be root, and its own user must get through.
        Path(name).chmod(0o711)
        folder = StateFolder.at(Path(name))
        definitions, ports = _definitions(Path(name)), rabbitmq.choose_ports(())
        async with (
            rabbitmq.serving(folder, ports) as broker,
            postgres.serving(folder, choose_port()) as store,
            temporal.serving(folder, temporal.choose_ports(ui=False, preferred=(), preferred_ui=()), storage) as server,
            open_database(store.url) as database,
            await aio_pika.connect(broker.url) as connection,
            connection.channel() as channel,
        ):
            await Client.connect(server.url)
            await _declare(broker.url, channel)
            services = Services(broker.url, store.url, server.url, str(definitions))
            yield Arena(services, rabbitmq.node_environment(ports, folder), database, Producer(channel), Path(name))


async def _declare(amqp_url: str, channel: AbstractChannel) -> None:
    async with connected(amqp_url, "benchmark") as own:
        await declare_queues(own, BridgeSettings())
    await channel.declare_queue(HAND_QUEUE, durable=True, arguments={"x-queue-type": "quorum"})


def _definitions(folder: Path) -> Path:
    for event_type in (ORDER, NOBODY):
        file = folder / "definitions" / "events" / event_type / "1.0.yaml"
        file.parent.mkdir(parents=True)
        file.write_text(_SCHEMA)
    return folder / "definitions"


def letter(event_type: str = ORDER, *, keyed: bool, priority: int = 0, prefix: str = "order") -> Letter:
    """Make an event that happens now.

    Args:
        event_type: `ORDER` starts a run, `NOBODY` is for none.
        keyed: Whether its headers name its place, so that no bridge has to sort it.
        priority: 0 to 9.
        prefix: Of its id.
    """
    order = f"{prefix}-{uuid.uuid4()}"
    items: list[Json] = [{"sku": "pen", "quantity": 2}, {"sku": "lamp", "quantity": 1}]
    data: Json = {"order_id": order, "total": 30, "items": items}
    event = Event(order, event_type, "1.0", datetime.now(UTC), "benchmark", data)
    topology = BridgeSettings().topology
    headers = direct_headers(order, topology.class_of(priority), topology) if keyed else {}
    return Letter(json.dumps(event.to_json()).encode(), event_type, order, headers, priority)

"""Copies that go on: what waits for what, and what they say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any, cast

import pytest
from aio_pika import Message
from pamqp.commands import Basic

from bridge.amqp.confirming import ConfirmingChannels
from bridge.amqp.delivery import Delivery
from bridge.amqp.outlets import NO_ID, Outlets
from bridge.sorting import Place
from bridge.topology.names import INBOX
from tests.bridge.environment import BridgeEnvironment
from tests.bridge.library import event
from tests.support.bus import TOPOLOGY, Bus


class SlowChannels:
    """Take messages, and confirm none before they are told to."""

    def __init__(self) -> None:
        self.taken: list[Message] = []
        self.confirmed = asyncio.Event()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[SlowChannels]:
        yield self

    async def publish(self, _: str, message: Message, *__: Any) -> None:
        self.taken.append(message)
        await self.confirmed.wait()


async def for_ever() -> timedelta:
    """Return for how long a delivery is ours."""
    return timedelta.max


@contextmanager
def writing_id(identity: str | None) -> Iterator[None]:
    """Have messages go out with this id or with none inside the block; the client library makes one up else."""
    write = Basic.Properties.marshal

    def written(properties: Basic.Properties) -> bytes:
        properties.message_id = identity
        return bytes(write(properties))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Basic.Properties, "marshal", written)
        yield


async def _delivery(bus: Bus, identity: str | None) -> Delivery:
    """A message of the broker's, with or without an id."""
    await bus.channel.declare_exchange("events", "topic", durable=True)
    queue = await bus.channel.declare_queue(INBOX)
    await queue.bind("events", "#")
    with writing_id(identity):
        await bus.publish_bytes(b"{}", "order.placed")
    return Delivery.of(await bus.take(INBOX), INBOX, for_ever)


@pytest.mark.parametrize(("identity", "at_once"), [(None, 5), ("", 5), ("same", 1)])
async def test_messages_without_an_id_do_not_wait_for_each_other(bus: Bus, identity: str | None, at_once: int) -> None:
    """Only those with one id go one after the other."""
    delivery, channels = await _delivery(bus, identity), SlowChannels()
    outlets = Outlets(cast("ConfirmingChannels", channels), timedelta(minutes=1), timedelta(seconds=1), lambda _: None)
    sorting = [asyncio.ensure_future(outlets.sort(delivery, Place(str(n), "low"), TOPOLOGY)) for n in range(5)]
    for _ in range(100):
        await asyncio.sleep(0)  # each goes on as far as it can without a confirm
    assert len(channels.taken) == at_once
    channels.confirmed.set()
    await asyncio.gather(*sorting)
    assert len({message.message_id for message in channels.taken}) == at_once
    assert [NO_ID in message.headers for message in channels.taken] == [not identity] * 5


async def test_letter_of_a_message_without_an_id_has_none(env: BridgeEnvironment, bus: Bus) -> None:
    """Neither one that is no event, nor one that only lacks its id; an event has the id that it says."""
    key = env.key()
    told = event("bad.trigger", {"id": key}, key).to_json()
    nameless = {name: value for name, value in told.items() if name != "event_id"}
    async with env.bridge():
        pass  # declares everything
    with writing_id(None):
        for body in (b"?", *(json.dumps(document).encode() for document in (nameless, told))):
            await bus.publish_bytes(body, "bad.trigger")
    async with env.bridge():
        letters = await env.letters(3)
    ids = [(letter.event_id, letter.properties.get("message_id")) for letter in letters]
    assert sorted(ids, key=str) == sorted([(None, None), (None, None), (key, None)], key=str)
    progress = await env.retry(*letters)
    assert (len(progress.published), len(progress.left)) == (1, 2)

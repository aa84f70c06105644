"""Takes messages as a consumer does: a queue with a single active consumer has no other way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial

import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from tests.support.waiting import PATIENCE_SECONDS

Taken = list[tuple[str, AbstractIncomingMessage]]


async def taken_from(channel: AbstractChannel, queues: Iterable[str], count: int) -> Taken:
    """Consume `count` messages from some queues and return each with its queue; a test that waits in vain fails."""
    found: asyncio.Queue[tuple[str, AbstractIncomingMessage]] = asyncio.Queue()
    consuming = [await channel.get_queue(name, ensure=False) for name in queues]
    tags = [await queue.consume(partial(_put, found, queue.name), no_ack=True) for queue in consuming]
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            taken = [await found.get() for _ in range(count)]
    except TimeoutError:
        seen = [(await channel.declare_queue(queue.name, passive=True)).declaration_result for queue in consuming]
        pytest.fail(f"{count} messages did not come; the queues have {seen}")
    for queue, tag in zip(consuming, tags, strict=True):
        await queue.cancel(tag)
    assert found.empty(), "more came than was expected"
    return taken


async def _put(
    found: asyncio.Queue[tuple[str, AbstractIncomingMessage]], name: str, message: AbstractIncomingMessage
) -> None:
    found.put_nowait((name, message))

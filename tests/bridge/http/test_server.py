"""The server inside somebody else's process: patient with nobody, gone without a trace."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from datetime import timedelta

import pytest

from bridge.http.app import AppLimits
from bridge.http.errors import NoListenerError
from bridge.http.server import ServerLimits, listen, serving
from cli.stack.ports import LOOPBACK
from store.database import Database
from tests.bridge.http.endpoint import BODIES, Endpoint, open_endpoint, signed
from tests.support.waiting import PATIENCE_SECONDS

HASTY = ServerLimits(head_timeout=timedelta(milliseconds=200))
BEGUN = b"POST /webhooks/shop HTTP/1.1\r\nhost: x\r\n"


async def trickle(port: int, beginning: bytes) -> bytes:
    """Send a beginning, then a byte every now and then, until the server closes; return what it said."""
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    said = asyncio.create_task(reader.read())
    writer.write(beginning)
    while not said.done():
        writer.write(b"a")
        await asyncio.wait([said], timeout=0.05)
    writer.close()
    return b"" if said.exception() else said.result()


@pytest.mark.parametrize("beginning", [b"", b"POST", BEGUN, BEGUN + b"x-long: "])
async def test_serving_cuts_a_head_that_never_ends(database: Database, beginning: bytes) -> None:
    """A connection that sends its request byte by byte is closed."""
    async with open_endpoint(database, server=HASTY) as webhook_endpoint, asyncio.timeout(PATIENCE_SECONDS):
        assert await trickle(webhook_endpoint.port, beginning) == b""


async def test_serving_cuts_a_second_head_that_never_ends(database: Database) -> None:
    """A connection that did send one request gets no more patience for the next."""
    patient = ServerLimits(head_timeout=timedelta(seconds=2))  # enough for the first, also on a busy machine
    async with open_endpoint(database, server=patient) as webhook_endpoint, asyncio.timeout(PATIENCE_SECONDS):
        said = await trickle(webhook_endpoint.port, b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\nPOST")
        assert said.startswith(b"HTTP/1.1 200") and said.count(b"HTTP/1.1") == 1


async def test_serving_cuts_a_body_that_never_ends(database: Database) -> None:
    """408, and the connection is closed."""
    limits = AppLimits(patience=timedelta(milliseconds=200))
    async with open_endpoint(database, limits=limits) as webhook_endpoint, asyncio.timeout(PATIENCE_SECONDS):
        said = await trickle(webhook_endpoint.port, BEGUN + b"content-length: 1000\r\n\r\n")
        assert said.startswith(b"HTTP/1.1 408") and b"webhook-timeout" in said


async def test_serving_answers_while_others_are_slow(database: Database) -> None:
    """Two hundred connections that bring nothing keep nobody out."""
    async with open_endpoint(database) as webhook_endpoint:
        slow = [await asyncio.open_connection(LOOPBACK, webhook_endpoint.port) for _ in range(200)]
        for _, writer in slow:
            writer.write(BEGUN)
        assert (await webhook_endpoint.post("shop", BODIES["shop"])).status_code == 202
        for _, writer in slow:
            writer.close()


async def begin_a_body(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Send a head, and return once the body is waited for."""
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    writer.write(BEGUN + b"content-length: 1000\r\nexpect: 100-continue\r\n\r\n")
    assert await reader.readline() == b"HTTP/1.1 100 Continue\r\n"
    writer.write(b"{")
    return reader, writer


async def test_serving_makes_room_when_bodies_do_not_come(database: Database) -> None:
    """Whoever holds all places with bodies that never end keeps nobody out: the slowest is cut, one for one."""
    limits = AppLimits(deliveries=3, grace=timedelta(0))
    async with open_endpoint(database, limits=limits) as webhook_endpoint, asyncio.timeout(PATIENCE_SECONDS):
        slow = [await begin_a_body(webhook_endpoint.port) for _ in range(3)]
        assert (await webhook_endpoint.post("shop", BODIES["shop"])).status_code == 202
        (first, _), *others = slow
        said = await first.read()
        assert b" 408 " in said and b"webhook-timeout" in said
        assert not [reader for reader, _ in others if reader.at_eof()]
        for _, writer in slow:
            writer.close()


async def test_serving_gives_each_body_a_moment(database: Database) -> None:
    """A body that began just now is not cut for the next one, which is told to come again."""
    limits = AppLimits(deliveries=1, grace=timedelta(hours=1))
    async with open_endpoint(database, limits=limits) as webhook_endpoint, asyncio.timeout(PATIENCE_SECONDS):
        _, writer = await begin_a_body(webhook_endpoint.port)
        answer = await webhook_endpoint.post("shop", BODIES["shop"])
        assert (answer.status_code, answer.json()["type"]) == (503, "webhook-busy")
        writer.close()


async def test_serving_survives_a_sender_that_goes_away(webhook_endpoint: Endpoint) -> None:
    """Half a body and a closed connection leave nothing behind."""
    _, writer = await asyncio.open_connection(LOOPBACK, webhook_endpoint.port)
    writer.write(BEGUN + b"content-length: 1000\r\n\r\nhalf")
    await writer.drain()
    writer.transport.abort()
    assert (await webhook_endpoint.post("shop", BODIES["shop"])).status_code == 202


async def test_serving_limits_connections(database: Database) -> None:
    """Above the limit, requests are answered with retry-after."""
    async with open_endpoint(database, server=ServerLimits(connections=3)) as webhook_endpoint:
        idle = [await asyncio.open_connection(LOOPBACK, webhook_endpoint.port) for _ in range(3)]
        assert (await webhook_endpoint.post("shop", BODIES["shop"])).status_code == 503
        for _, writer in idle:
            writer.close()


async def test_serving_finishes_what_it_began(database: Database) -> None:
    """A delivery that is under way when the server stops gets its answer."""
    body = BODIES["shop"]
    head = "".join(f"{name}: {value}\r\n" for name, value in signed("shop", body).items())
    async with open_endpoint(database) as webhook_endpoint:
        reader, writer = await asyncio.open_connection(LOOPBACK, webhook_endpoint.port)
        writer.write(BEGUN + f"{head}content-length: {len(body)}\r\nexpect: 100-continue\r\n\r\n".encode())
        assert await reader.readline() == b"HTTP/1.1 100 Continue\r\n"
        writer.write(body)
        leaving = asyncio.create_task(reader.read())
    assert b"202" in await leaving
    writer.close()


async def test_serving_leaves_no_trace(database: Database) -> None:
    """The port is free again, signals are as they were, and nothing of uvicorn is in the log below an error."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with open_endpoint(database) as webhook_endpoint:
        await webhook_endpoint.client.get("/healthz")
        during = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        port = webhook_endpoint.port
    assert during == before
    with socket.create_server((LOOPBACK, port)):
        pass
    assert logging.getLogger("uvicorn.error").getEffectiveLevel() == logging.ERROR
    assert not logging.getLogger("uvicorn.access").hasHandlers()


async def test_listen_names_the_protocol() -> None:
    """Else asyncio leaves Nagle's algorithm on, and each answer waits for 40 ms."""
    with await listen(LOOPBACK, 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP


async def test_serving_says_why_it_cannot_listen(database: Database) -> None:
    """A port that is taken or an address that is none is a plain error, and the process lives."""
    async with open_endpoint(database) as webhook_endpoint:
        for host, port in (
            (LOOPBACK, webhook_endpoint.port),
            ("203.0.113.7", 0),
            ("no such host", 0),
            (LOOPBACK, 70_000),
        ):
            with pytest.raises(NoListenerError, match=host):
                async with serving(_nothing, host, port):
                    pass


async def _nothing(scope: object, receive: object, send: object) -> None:
    """Serve nothing."""

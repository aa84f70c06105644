"""A TCP proxy that forwards requests and drops answers: the server has done its work, the client does not learn of it.

After a dropped answer the connection is cut on both sides. Which answers may be dropped, and with which probability,
follows from the scenario and its seed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

from cli.stack.ports import LOOPBACK, choose_port
from tests.chaos.bridge_processes import BridgeProcesses

AnswerFilter = Callable[[bytes, bytes], bool]
"""Whether an answer may be dropped: the latest request of the connection, and the answer."""

_BASIC_ACK = b"\x00\x3c\x00\x50"


def any_answer(_: bytes, answer: bytes) -> bool:
    """Pick all."""
    return bool(answer)


def commits(request: bytes, _: bytes) -> bool:
    """Pick PostgreSQL's answer to a COMMIT."""
    return b"COMMIT" in request


def confirms(_: bytes, answer: bytes) -> bool:
    """Pick the publisher confirms of the broker."""
    return _BASIC_ACK in answer


class AnswerDroppingProxy:
    """Forwards to one server; drops answers only while `is_dropping`."""

    def __init__(self, target: tuple[str, int], is_droppable: AnswerFilter, share: float, seed: int) -> None:
        self.port = choose_port()
        self.dropped = 0
        self.is_dropping = False
        self._target, self._is_droppable, self._share = target, is_droppable, share
        self._random = random.Random(seed)  # noqa: S311 - a fault, not a secret
        self._writers: set[asyncio.StreamWriter] = set()

    async def listen(self) -> asyncio.Server:
        """Begin to serve."""
        return await asyncio.start_server(self._serve, LOOPBACK, self.port)

    async def drop_answers(self, count: int, bridges: BridgeProcesses) -> None:
        """Drop answers until so many have been lost to these bridges."""
        self.is_dropping, wanted = True, self.dropped + count

        async def enough() -> bool:
            return self.dropped >= wanted

        # One answer in twenty is dropped, and each costs a connection: how long that takes is the machine's affair.
        await bridges.until(enough, progress=lambda: self.dropped)
        self.is_dropping = False

    def close(self) -> None:
        """Cut all connections."""
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, server_writer}
        self._writers |= ends
        request = bytearray()
        await asyncio.gather(
            self._forward_requests(reader, server_writer, request),
            self._forward_answers(server_reader, writer, request),
        )
        self._writers -= ends

    async def _forward_requests(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytearray
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                request[:] = data
                writer.write(data)
                await writer.drain()
        writer.transport.abort()

    async def _forward_answers(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytearray
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                if (
                    self.is_dropping
                    and self._is_droppable(bytes(request), data)
                    and self._random.random() < self._share
                ):
                    self.dropped += 1
                    break
                writer.write(data)
                await writer.drain()
        writer.transport.abort()


@asynccontextmanager
async def answer_dropping_proxy(
    url: str, is_droppable: AnswerFilter, share: float, seed: int
) -> AsyncIterator[tuple[AnswerDroppingProxy, str]]:
    """Run a proxy in front of the server of `url` inside the block, and yield it with the URL that leads through it."""
    parts = urlsplit(url if "://" in url else f"//{url}")
    proxy = AnswerDroppingProxy((parts.hostname or LOOPBACK, parts.port or 0), is_droppable, share, seed)
    server = await proxy.listen()
    account, at, _ = parts.netloc.rpartition("@")
    proxy_url = urlunsplit(parts._replace(netloc=f"{account}{at}{LOOPBACK}:{proxy.port}"))
    try:
        yield proxy, proxy_url.removeprefix("//")
    finally:
        server.close()
        proxy.close()

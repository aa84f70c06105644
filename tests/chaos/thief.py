"""A proxy that lets requests through and steals answers: the server has done what was asked, and nobody learns of it.

After a theft the connection is cut on both sides. Which answers are worth stealing, and with which chance, follows
from the scenario and its seed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

from cli.stack.ports import LOOPBACK, choose_port
from tests.chaos.bridges import Bridges

Picks = Callable[[bytes, bytes], bool]
"""Whether an answer may be stolen: the latest request of the connection, and the answer."""

_BASIC_ACK = b"\x00\x3c\x00\x50"


def any_answer(_: bytes, answer: bytes) -> bool:
    """Pick all."""
    return bool(answer)


def commits(request: bytes, _: bytes) -> bool:
    """Pick PostgreSQL's answer to a COMMIT."""
    return b"COMMIT" in request


def confirms(_: bytes, answer: bytes) -> bool:
    """Pick what the broker says when it has a message for good."""
    return _BASIC_ACK in answer


class Thief:
    """Stands before one server; steals only while it is at large."""

    def __init__(self, target: tuple[str, int], picks: Picks, chance: float, seed: int) -> None:
        self.port = choose_port()
        self.thefts = 0
        self.is_at_large = False
        self._target, self._picks, self._chance = target, picks, chance
        self._dice = random.Random(seed)  # noqa: S311 - a fault, not a secret
        self._writers: set[asyncio.StreamWriter] = set()

    async def listen(self) -> asyncio.Server:
        """Begin to serve."""
        return await asyncio.start_server(self._serve, LOOPBACK, self.port)

    async def steals(self, count: int, bridges: Bridges) -> None:
        """Be at large until so many answers to these bridges are stolen."""
        self.is_at_large, wanted = True, self.thefts + count

        async def enough() -> bool:
            return self.thefts >= wanted

        await bridges.until(enough)
        self.is_at_large = False

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
        await asyncio.gather(self._forward(reader, server_writer, request), self._back(server_reader, writer, request))
        self._writers -= ends

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytearray) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                request[:] = data
                writer.write(data)
                await writer.drain()
        writer.transport.abort()

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytearray) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                if self.is_at_large and self._picks(bytes(request), data) and self._dice.random() < self._chance:
                    self.thefts += 1
                    break
                writer.write(data)
                await writer.drain()
        writer.transport.abort()


@asynccontextmanager
async def thieving(url: str, picks: Picks, chance: float, seed: int) -> AsyncIterator[tuple[Thief, str]]:
    """Put a thief before the server of `url` inside the block, and say the URL that leads past him."""
    parts = urlsplit(url if "://" in url else f"//{url}")
    thief = Thief((parts.hostname or LOOPBACK, parts.port or 0), picks, chance, seed)
    server = await thief.listen()
    account, at, _ = parts.netloc.rpartition("@")
    past = urlunsplit(parts._replace(netloc=f"{account}{at}{LOOPBACK}:{thief.port}"))
    try:
        yield thief, past.removeprefix("//")
    finally:
        server.close()
        thief.close()

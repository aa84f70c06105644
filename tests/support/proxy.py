"""A TCP proxy on the loopback interface that can be cut, mended, and made to swallow what the server says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

from cli.stack.ports import LOOPBACK, choose_port


class Proxy:
    """Forwards one port to a server while it is mended."""

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self.port = choose_port()
        self.swallows = False
        self._is_cut = False
        self._tried = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()

    async def listen(self) -> asyncio.Server:
        """Begin to serve."""
        return await asyncio.start_server(self._serve, LOOPBACK, self.port)

    def cut(self) -> None:
        """Break the connections there are, and each new one at once."""
        self._is_cut = True
        self._tried.clear()
        for writer in self._writers:
            writer.transport.abort()

    def mend(self) -> None:
        """Let new connections through again."""
        self._is_cut = False

    async def tried(self) -> None:
        """Wait until somebody tried to connect since the cut."""
        await self._tried.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            self._tried.set()
            writer.transport.abort()
            return
        server_reader, server_writer = await asyncio.open_connection(*self._target)
        self._writers |= {writer, server_writer}
        await asyncio.gather(
            self._pump(reader, server_writer, deaf=False), self._pump(server_reader, writer, deaf=True)
        )

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, deaf: bool) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                if not (deaf and self.swallows):
                    writer.write(data)
                    await writer.drain()
        writer.transport.abort()
        self._writers.discard(writer)


@asynccontextmanager
async def proxy(host: str, port: int) -> AsyncIterator[Proxy]:
    """Run a mended proxy inside the block."""
    running = Proxy(host, port)
    server = await running.listen()
    try:
        yield running
    finally:
        server.close()
        running.cut()


@asynccontextmanager
async def amqp_proxy(url: str) -> AsyncIterator[tuple[Proxy, str]]:
    """Run a proxy before a broker, and say the URL that leads through it."""
    parts = urlsplit(url)
    async with proxy(parts.hostname or LOOPBACK, parts.port or 5672) as running:
        account, _, _ = parts.netloc.rpartition("@")
        yield running, urlunsplit(parts._replace(netloc=f"{account}@{LOOPBACK}:{running.port}"))

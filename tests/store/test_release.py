"""A connection that breaks while it is given back: what was done is done, and nobody hears of the driver's trouble."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

from cli.stack.ports import LOOPBACK
from store.database import open_database

_LAST_WORD = b"ROLLBACK"


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while (data := await reader.read(65_536)) and _LAST_WORD not in data:
            writer.write(data)
            await writer.drain()
    writer.transport.abort()


@asynccontextmanager
async def _breaking(url: str) -> AsyncIterator[str]:
    """Give a URL of the server whose connections break when a client asks to roll back."""
    parts = urlsplit(url)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(parts.hostname, parts.port)
        await asyncio.gather(_pump(reader, server_writer), _pump(server_reader, writer))

    listening = await asyncio.start_server(serve, LOOPBACK, 0)
    port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield urlunsplit(parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@{LOOPBACK}:{port}"))


async def test_connection_that_breaks_while_it_is_given_back_is_replaced(postgres_url: str) -> None:
    """The driver rolls back what is open on it, and that fails here: rows and the next connection are fine."""
    async with _breaking(postgres_url) as url, open_database(url, pool_size=1) as database:
        assert await database.fetch("begin") == []
        assert await database.fetch("select 1 as one") == [{"one": 1}]

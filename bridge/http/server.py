"""Serves an ASGI application with uvicorn, inside somebody else's process.

Uvicorn is made for a process of its own: it takes the signals, writes to the log and ends the process when the port
is taken. Here the port is opened first, so that the caller gets an error it can show; signals stay with the command
line.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta

import uvicorn
from starlette.types import ASGIApp

from bridge.http.connection import Connection
from bridge.http.errors import NoListenerError

_BACKLOG = 256
_HIGHEST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """How patient the server is.

    Attributes:
        connections: Connections at most; requests on more are answered with 503.
        head_timeout: How long a connection may take to bring the head of its next request.
        farewell: How long requests may take to end when the server stops.
    """

    connections: int = 500
    head_timeout: timedelta = timedelta(seconds=10)
    farewell: timedelta = timedelta(seconds=10)


@asynccontextmanager
async def serving(app: ASGIApp, host: str, port: int, limits: ServerLimits | None = None) -> AsyncIterator[int]:
    """Serve inside the block, which gets the port, and stop in good order at its end.

    Args:
        app: The application.
        host: Name or address to listen at.
        port: Where; 0 = any that is free.
        limits: How patient to be.

    Raises:
        NoListenerError: The address cannot be had.
    """
    listener = await listen(host, port)
    server = _Server(_config(app, limits or ServerLimits()))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task


async def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        NoListenerError: The address cannot be had.
    """
    if not 0 <= port <= _HIGHEST_PORT:  # the system would take 70000 for 4464
        raise NoListenerError(f"{host}:{port}: there is no such port.")
    try:
        return await _bound(host, port)
    except (OSError, UnicodeError) as error:
        raise NoListenerError(f"{host}:{port}: {error}.") from error


async def _bound(host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, _, _, address = found[0]
    # The protocol must be named: asyncio switches Nagle's algorithm off only where it sees that this is TCP, and with
    # it each answer takes 40 ms.
    listener = socket.socket(family, kind, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _config(app: ASGIApp, limits: ServerLimits) -> uvicorn.Config:
    protocol = type("_PatientFor", (Connection,), {"head_seconds": limits.head_timeout.total_seconds()})
    return uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=_BACKLOG,
        limit_concurrency=limits.connections,
        timeout_graceful_shutdown=round(limits.farewell.total_seconds()),
    )


class _Server(uvicorn.Server):
    """A server that leaves the signals to whoever owns the process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

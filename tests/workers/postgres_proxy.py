"""A proxy in front of PostgreSQL that can be cut."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

from cli.stack.ports import LOOPBACK
from tests.support.proxy import Proxy, proxy


@asynccontextmanager
async def postgres_proxy(url: str) -> AsyncIterator[tuple[Proxy, str]]:
    """Run a proxy in front of a database, and yield it with the URL that leads through it."""
    parts = urlsplit(url)
    async with proxy(parts.hostname or LOOPBACK, parts.port or 5432) as running:
        account, at, _ = parts.netloc.rpartition("@")
        yield running, urlunsplit(parts._replace(netloc=f"{account}{at}{LOOPBACK}:{running.port}"))

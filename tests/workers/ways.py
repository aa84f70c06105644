"""A way to PostgreSQL that can be cut."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

from cli.stack.ports import LOOPBACK
from tests.bridge.proxy import Proxy, proxy


@asynccontextmanager
async def postgres_proxy(url: str) -> AsyncIterator[tuple[Proxy, str]]:
    """Run a proxy before a database, and say the URL that leads through it."""
    parts = urlsplit(url)
    async with proxy(parts.hostname or LOOPBACK, parts.port or 5432) as way:
        account, at, _ = parts.netloc.rpartition("@")
        yield way, urlunsplit(parts._replace(netloc=f"{account}{at}{LOOPBACK}:{way.port}"))

"""PostgreSQL for tests: one server in a worker, a database of its own for each test.

A database is a copy of a template to which all migrations were applied once. Making one is one statement, and
databases are never dropped, since each drop would make the server write everything to disk.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from cli.stack import postgres
from cli.stack.events import Happening, Service
from cli.stack.folder import StateFolder
from cli.stack.ports import choose_port
from store.database import open_database

_TEMPLATE = "migrated"


@asynccontextmanager
async def serve(folder: StateFolder) -> AsyncIterator[dict[str, Any]]:
    """Run the server inside the block, with the template."""
    try:
        async with postgres.serving(folder, choose_port(), durable=False) as service:
            await _prepare(service)
            yield {"url": service.url, "shown": service.shown}
    finally:
        postgres.forget(folder.path)


def service_of(description: dict[str, Any]) -> Service:
    """Return the shared server; `.url` names the database `saga`, which all tests share."""
    return Service(description["url"], description["shown"], Happening.STARTED)


async def _prepare(service: Service) -> None:
    # Hundreds of databases that are used for seconds: looking after each would be most of the server's work.
    await execute(service.url, "ALTER SYSTEM SET autovacuum = off", "SELECT pg_reload_conf()")
    await execute(service.url, f"CREATE DATABASE {_TEMPLATE}")
    async with open_database(_url(service, _TEMPLATE)):
        pass


async def fresh_database(service: Service) -> str:
    """Make a database with the whole schema and nothing in it, and return its URL."""
    return await _made(service, f"TEMPLATE {_TEMPLATE}")


async def empty_database(service: Service) -> str:
    """Make a database without any schema, and return its URL."""
    return await _made(service, "TEMPLATE template0")


async def execute(url: str, *statements: str) -> None:
    """Carry out statements, each in a transaction of its own."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _made(service: Service, how: str) -> str:
    name = f"test_{uuid.uuid4().hex[:12]}"
    await execute(service.url, f"CREATE DATABASE {name} {how}")
    return _url(service, name)


def _url(service: Service, name: str) -> str:
    return f"{service.url.rpartition('/')[0]}/{name}"

"""The connection to PostgreSQL.

`open_database` opens a pool, brings the schema up to date and closes the pool at the end. Statements are
`LiteralString`s from `store/queries/`; arguments always travel beside them. Statements that belong together run in a
`Session`, which is one transaction; `Session.lock` puts those that name one key in a row, so that an effect and its
undoing never overlap.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, LiteralString
from urllib.parse import urlsplit

import asyncpg

from store.errors import BROKEN, CURE_ACCESS, AccessRefusedError, connecting, translated
from store.migrations import migrate

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

Row = dict[str, Any]

CONNECT_SECONDS: Final = 10.0
STATEMENT_SECONDS: Final = 30.0
_LOCK: Final = "select pg_advisory_xact_lock(hashtextextended($1, 0))"

_TRY_LOCK: Final = "select pg_try_advisory_xact_lock(hashtextextended($1, 0))"


class Session:
    """One transaction; made by `Database.transaction`."""

    def __init__(self, connection: PoolConnectionProxy) -> None:
        self._connection = connection

    async def fetch(self, query: LiteralString, *arguments: object) -> list[Row]:
        """Return all rows."""
        return [dict(record) for record in await self._connection.fetch(query, *arguments)]

    async def fetch_row(self, query: LiteralString, *arguments: object) -> Row | None:
        """Return the first row, or None."""
        record = await self._connection.fetchrow(query, *arguments)
        return None if record is None else dict(record)

    async def execute(self, query: LiteralString, *arguments: object) -> int:
        """Carry out a statement and return the number of rows it touched."""
        status = await self._connection.execute(query, *arguments)
        count = status.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def copy(self, table: LiteralString, columns: Sequence[str], rows: Iterable[tuple[object, ...]]) -> None:
        """Copy rows into a temporary table, which is the quickest way to hand many over."""
        await self._connection.copy_records_to_table(table, records=rows, columns=columns)

    async def try_lock(self, key: str) -> bool:
        """Hold `key` until this transaction ends, unless another holds it; tell whether that went."""
        return bool(await self._connection.fetchval(_TRY_LOCK, key))

    async def lock(self, key: str) -> None:
        """Wait until no other transaction holds `key`, and hold it until this one ends."""
        await self._connection.execute(_LOCK, key)


class Database:
    """A pool of connections; made by `open_database`, which also closes it."""

    def __init__(self, pool: asyncpg.Pool, address: str) -> None:
        self._pool = pool
        self.address = address

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        """Open a transaction; it is committed at the end and rolled back on any exception.

        Raises:
            ServiceUnreachableError: No connection can be had.
            StatementRefusedError: The server refused a statement.
            TransactionConflictError: Another transaction was in the way.
            ConnectionLostError: The connection broke; the outcome is unknown.
        """
        async with self._connection() as connection, connection.transaction():
            yield Session(connection)

    async def fetch(self, query: LiteralString, *arguments: object) -> list[Row]:
        """Return all rows of one statement in its own transaction.

        The server makes that transaction by itself, so it costs one round trip instead of three.
        """
        async with self._connection() as connection:
            return [dict(record) for record in await connection.fetch(query, *arguments)]

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[PoolConnectionProxy]:
        with connecting(self.address):
            connection = await self._pool.acquire(timeout=CONNECT_SECONDS)
        try:
            with translated(self.address):
                yield connection
        finally:
            # One that broke is dropped by the pool; what was committed on it is committed.
            with suppress(*BROKEN):
                await self._pool.release(connection)


@asynccontextmanager
async def open_database(url: str, *, pool_size: int = 10) -> AsyncIterator[Database]:
    """Connect to `url` (`postgresql://user:password@host:port/name`), bring the schema up to date, and close at the
    end.

    Raises:
        ServiceUnreachableError: Nothing answers there.
        AccessRefusedError: User, password or database name are wrong, or `url` is none.
        MigrationChangedError: The database was made by a release that does not match this one.
    """
    address = address_of(url)
    pool = await _open_pool(url, address, pool_size)
    try:
        with translated(address):
            async with pool.acquire() as connection:
                await migrate(connection)
        yield Database(pool, address)
    finally:
        await pool.close()


def address_of(url: str) -> str:
    """Return host, port and name of the database, for messages: without user and password."""
    parts = urlsplit(url)
    return f"{parts.hostname or 'localhost'}:{parts.port or 5432}{parts.path}"


async def _open_pool(url: str, address: str, size: int) -> asyncpg.Pool:
    try:
        with connecting(address):
            return await asyncpg.create_pool(
                url,
                min_size=1,
                max_size=size,
                timeout=CONNECT_SECONDS,
                command_timeout=STATEMENT_SECONDS,
                init=_prepare,
                reset=_leave,
            )
    except asyncpg.ClientConfigurationError as error:
        raise AccessRefusedError(f"{address}: {error}. Cure: {CURE_ACCESS}.") from error


async def _prepare(connection: asyncpg.Connection) -> None:
    # The statements are few and known: planning each anew takes longer than carrying it out.
    await connection.execute("set plan_cache_mode = force_generic_plan; set jit = off")
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)


async def _leave(_: asyncpg.Connection) -> None:
    """Reset nothing: all that is set or locked here ends with its transaction. It saves a round trip each time."""

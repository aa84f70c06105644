"""Opening, transactions and what becomes of the driver's errors."""

from __future__ import annotations

import asyncio
import socket

import pytest

from contracts.errors import ServiceUnreachableError
from store.database import Database, address_of, open_database
from store.errors import (
    AccessRefusedError,
    ConnectionLostError,
    StatementRefusedError,
    TransactionConflictError,
)


async def test_open_database_names_service_address_and_cure() -> None:
    """Where nothing listens, the error is one plain line without the password."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ServiceUnreachableError) as caught:
        async with open_database(f"postgresql://saga:geheim@127.0.0.1:{port}/saga"):
            pass
    assert str(caught.value).endswith(
        f"PostgreSQL at 127.0.0.1:{port}/saga: start it, or set SAGA_DATABASE_URL to one that runs"
    )
    assert "geheim" not in str(caught.value)


async def test_open_database_refuses_a_missing_database(postgres_url: str) -> None:
    """A database that does not exist is a permanent error that names the setting."""
    with pytest.raises(AccessRefusedError, match="SAGA_DATABASE_URL"):
        async with open_database(postgres_url + "_absent"):
            pass


async def test_open_database_refuses_a_malformed_url() -> None:
    """A URL of another kind is refused with the cure."""
    with pytest.raises(AccessRefusedError, match="SAGA_DATABASE_URL"):
        async with open_database("mysql://127.0.0.1/saga"):
            pass


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("postgresql://u:p@db.example:6000/saga", "db.example:6000/saga"),
        ("postgresql:///saga", "localhost:5432/saga"),
    ],
)
def test_address_of_leaves_out_the_credentials(url: str, address: str) -> None:
    """Messages show host, port and name only."""
    assert address_of(url) == address


async def test_transaction_commits_and_counts(database: Database) -> None:
    """What was executed is there afterwards, and the count of rows comes back."""
    async with database.transaction() as session:
        assert await session.execute("insert into saga.undone values ('a'), ('b')") == 2
        await session.execute("create table public.probe (n int)")
    assert [row["idempotency_key"] for row in await database.fetch("select * from saga.undone order by 1")] == [
        "a",
        "b",
    ]


async def test_transaction_rolls_back_on_an_exception(database: Database) -> None:
    """Whatever the body raises undoes its statements."""
    with pytest.raises(KeyError):
        async with database.transaction() as session:
            await session.execute("insert into saga.undone values ('a')")
            raise KeyError
    assert await database.fetch("select * from saga.undone") == []


async def test_transaction_reports_a_refused_statement(database: Database) -> None:
    """A broken constraint is permanent and carries the SQLSTATE."""
    with pytest.raises(StatementRefusedError, match="23505"):
        async with database.transaction() as session:
            await session.execute("insert into saga.undone values ('a'), ('a')")


async def test_transaction_reports_a_conflict_as_temporary(database: Database) -> None:
    """A lock that is not free is worth another attempt."""
    async with database.transaction() as first:
        await first.execute("lock table saga.undone in access exclusive mode")
        with pytest.raises(TransactionConflictError):
            async with database.transaction() as second:
                await second.execute("lock table saga.undone in access exclusive mode nowait")


async def test_transaction_reports_a_lost_connection(database: Database) -> None:
    """A connection that the server ends leaves the outcome open."""
    with pytest.raises(ConnectionLostError):
        async with database.transaction() as session:
            await session.execute("select pg_terminate_backend(pg_backend_pid())")
    assert await database.fetch("select 1 as one") == [{"one": 1}]


async def test_lock_makes_the_second_wait_for_the_first(database: Database) -> None:
    """Two transactions with one key go one after the other."""
    order: list[str] = []

    async def second() -> None:
        async with database.transaction() as session:
            await session.lock("key")
            order.append("second")

    async with database.transaction() as session:
        await session.lock("key")
        waiting = asyncio.create_task(second())
        waits = "select count(*) as n from pg_locks where locktype = 'advisory' and not granted"
        waiters = 0
        while not waiters:
            waiters = (await database.fetch(waits))[0]["n"]
        order.append("first")
    await waiting
    assert order == ["first", "second"]


async def test_jsonb_travels_as_python_values(database: Database) -> None:
    """JSON columns take and give Python values."""
    rows = await database.fetch("select $1::jsonb as document", {"a": [1, None]})
    assert rows == [{"document": {"a": [1, None]}}]

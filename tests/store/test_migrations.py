"""The schema: applied once, in order, by the first process."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from store.database import Database, open_database
from store.errors import MigrationChangedError
from store.migrations import Migration, migrate, shipped


def test_shipped_migrations_are_numbered_without_gaps() -> None:
    """Numbers count up from 1."""
    assert [migration.number for migration in shipped()] == list(range(1, len(shipped()) + 1))


async def test_migrate_applies_each_file_once(empty_postgres_url: str) -> None:
    """The second process finds nothing to do."""
    connection = await asyncpg.connect(empty_postgres_url)
    try:
        assert await migrate(connection) == [migration.name for migration in shipped()]
        assert await migrate(connection) == []
    finally:
        await connection.close()


async def test_migrate_lets_processes_start_together(empty_postgres_url: str) -> None:
    """Five that open an empty database at once all succeed."""

    async def opened() -> int:
        async with open_database(empty_postgres_url) as database:
            return len(await database.fetch("select * from saga.migrations"))

    assert await asyncio.gather(*(opened() for _ in range(5))) == [len(shipped())] * 5


async def test_migrate_refuses_a_changed_file(database: Database, postgres_url: str) -> None:
    """An applied migration with another text is named, and nothing is applied."""
    connection = await asyncpg.connect(postgres_url)
    changed = Migration(1, "deployments", "select 1")
    further = Migration(99, "further", "create table saga.further ()")
    try:
        with pytest.raises(MigrationChangedError, match=r"0001_deployments\.sql"):
            await migrate(connection, (changed, further))
        assert await database.fetch("select 1 from pg_tables where tablename = 'further'") == []
    finally:
        await connection.close()


async def test_migrate_leaves_later_records_alone(database: Database, postgres_url: str) -> None:
    """An older release works on a database that a newer one has changed."""
    connection = await asyncpg.connect(postgres_url)
    try:
        assert await migrate(connection, (*shipped(), Migration(99, "later", "select 1"))) == ["later"]
        assert await migrate(connection) == []
    finally:
        await connection.close()
    assert len(await database.fetch("select * from saga.migrations")) == len(shipped()) + 1


async def test_migrate_rolls_a_failing_file_back(empty_postgres_url: str) -> None:
    """A file that fails in its middle leaves nothing and is tried again at the next start."""
    connection = await asyncpg.connect(empty_postgres_url)
    broken = Migration(1, "broken", "create table saga.half (); select no_such_function()")
    try:
        with pytest.raises(asyncpg.UndefinedFunctionError):
            await migrate(connection, (broken,))
        assert await migrate(connection, (Migration(1, "mended", "create table saga.half ()"),)) == ["mended"]
    finally:
        await connection.close()

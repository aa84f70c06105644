"""Changes of the schema, each applied once.

A migration is a file `store/migrations/NNNN_name.sql`; what is applied stands with its checksum in `saga.migrations`.
Every process may run them at its start: an advisory lock lets one go first, and each file runs in its own transaction
together with its record. A changed file is refused. Unknown later records are left alone, so that an older process
goes on beside a newer one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Final

from store.errors import MigrationChangedError

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

_LOCK_KEY: Final = 7_241_001
_PREPARE: Final = """
create schema if not exists saga;
create table if not exists saga.migrations (
    number integer primary key,
    name text not null,
    checksum text not null,
    applied_at timestamptz not null default now()
);
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its number, its name and its text."""

    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def shipped() -> tuple[Migration, ...]:
    """Return the migrations of this release in their order."""
    files = resources.files("store").joinpath("migrations").iterdir()
    return tuple(sorted((_read(file.name, file.read_text(encoding="utf-8")) for file in files), key=_number))


async def migrate(
    connection: asyncpg.Connection | PoolConnectionProxy, migrations: tuple[Migration, ...] | None = None
) -> list[str]:
    """Apply what is missing and return the names of what was applied.

    Raises:
        MigrationChangedError: An applied migration has another text now.
    """
    await connection.execute("select pg_advisory_lock($1)", _LOCK_KEY)
    try:
        await connection.execute(_PREPARE)
        records = await connection.fetch("select number, checksum from saga.migrations")
        applied = {record["number"]: record["checksum"] for record in records}
        missing = _missing(shipped() if migrations is None else migrations, applied)
        for migration in missing:
            await _apply(connection, migration)
        return [migration.name for migration in missing]
    finally:
        await connection.execute("select pg_advisory_unlock($1)", _LOCK_KEY)


def _missing(migrations: tuple[Migration, ...], applied: dict[int, str]) -> list[Migration]:
    for migration in migrations:
        if applied.get(migration.number, migration.checksum) != migration.checksum:
            raise MigrationChangedError(f"{migration.number:04}_{migration.name}.sql")
    return [migration for migration in migrations if migration.number not in applied]


async def _apply(connection: asyncpg.Connection | PoolConnectionProxy, migration: Migration) -> None:
    async with connection.transaction():
        await connection.execute(migration.text)
        await connection.execute(
            "insert into saga.migrations (number, name, checksum) values ($1, $2, $3)",
            migration.number,
            migration.name,
            migration.checksum,
        )


def _read(file: str, text: str) -> Migration:
    number, _, name = file.removesuffix(".sql").partition("_")
    return Migration(int(number), name, text)


def _number(migration: Migration) -> int:
    return migration.number

"""The library with the rollouts that operators set, which worker, bridge and commands choose versions by.

They are read from PostgreSQL each second. While it is away the last view counts: a start must not wait for it, and
must not go back to the files, which may say what an operator has just taken back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from contracts.errors import SagaError
from store.database import Database, open_database
from store.rollouts import rollouts
from workflows.language.library import Library, Percentages
from workflows.temporal.run import LibrarySource

_EVERY_SECONDS = 1.0


class RolledOut:
    """A library source with the percentages of now; it is asked at each start, so it keeps what it made."""

    def __init__(self, source: LibrarySource) -> None:
        """Begin with what the files say."""
        self._source = source
        self._percentages: Percentages = {}
        self._made: tuple[Library, Library] | None = None

    def __call__(self) -> Library:
        """Return the library."""
        plain = self._source()
        if self._made is None or self._made[0] is not plain:
            self._made = (plain, plain.with_percentages(self._percentages))
        return self._made[1]

    async def refresh(self, database: Database) -> None:
        """Read what was set.

        Raises:
            SagaError: As `store.database`; the last view stays.
        """
        found = await percentages(database)
        if found != self._percentages:
            self._percentages, self._made = found, None


@asynccontextmanager
async def following_rollouts(source: LibrarySource, database: Database | None) -> AsyncIterator[RolledOut]:
    """Give the library with the rollouts of now inside the block; without a database with those of the files.

    Raises:
        SagaError: PostgreSQL does not answer at the start.
    """
    rolled = RolledOut(source)
    if database is None:
        yield rolled
        return
    await rolled.refresh(database)
    task = asyncio.create_task(_follow(rolled, database))
    try:
        yield rolled
    finally:
        task.cancel()
        await asyncio.wait({task})


async def percentages(database: Database) -> Percentages:
    """Return the percentages that operators set, by id and version.

    Raises:
        SagaError: As `store.database`.
    """
    return {(each.definition, each.version): each.percent for each in await rollouts(database)}


async def rolled_out(library: Library, url: str | None) -> Library:
    """Return the library with the rollouts of now, for a command that starts one run.

    Nothing is asked where there is no choice: without a database, and where no definition has two versions.

    Raises:
        SagaError: As `store.database`: what an operator took back must not be started because nobody could be asked.
    """
    if url is None or all(len(versions) == 1 for versions in library.versions.values()):
        return library
    async with open_database(url, pool_size=1) as database:
        return library.with_percentages(await percentages(database))


async def _follow(rolled: RolledOut, database: Database) -> None:
    while True:
        await asyncio.sleep(_EVERY_SECONDS)
        try:
            await rolled.refresh(database)
        except SagaError:
            continue

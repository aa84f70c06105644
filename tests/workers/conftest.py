"""An opened database, and a scrape of a worker's instruments, for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from store.database import Database, open_database
from tests.workers.scraping import Scrape


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    """A fresh database with the whole schema."""
    async with open_database(postgres_url) as opened:
        yield opened


@pytest.fixture
def scrape() -> Iterator[Scrape]:
    """Instruments that nobody has touched yet."""
    made = Scrape()
    yield made
    made.provider.shutdown()

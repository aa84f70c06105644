"""Fixtures of the endpoint's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from store.database import Database, open_database
from tests.bridge.http.stage import Endpoint, endpoint


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    """A fresh database with the whole schema."""
    async with open_database(postgres_url) as opened:
        yield opened


@pytest.fixture
async def shop(database: Database) -> AsyncIterator[Endpoint]:
    """The endpoint before this database, at a time that stands still."""
    async with endpoint(database) as running:
        yield running

"""An opened database for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from store.database import Database, open_database


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    """A fresh database with the whole schema."""
    async with open_database(postgres_url) as opened:
        yield opened

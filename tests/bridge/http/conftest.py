"""Fixtures of the endpoint's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from store.database import Database
from tests.bridge.http.endpoint import Endpoint, open_endpoint


@pytest.fixture
async def webhook_endpoint(database: Database) -> AsyncIterator[Endpoint]:
    """The endpoint with this database, at a fixed time."""
    async with open_endpoint(database) as running:
        yield running

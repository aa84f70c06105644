"""Fixtures of the bridge's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client

from store.database import Database, open_database
from tests.bridge.bus import Bus, open_bus
from tests.bridge.world import World, open_world


@pytest.fixture
async def bus(amqp_url: str) -> AsyncIterator[Bus]:
    """The bus of this test's own virtual host."""
    async with open_bus(amqp_url) as opened:
        yield opened


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    """The store of this test's own database."""
    async with open_database(postgres_url) as opened:
        yield opened


@pytest.fixture
async def world(client: Client, amqp_url: str, postgres_url: str) -> AsyncIterator[World]:
    """Workflows to start, and bridges to start them."""
    async with open_world(client, amqp_url, postgres_url) as opened:
        yield opened

"""What actions run in: a database, a bus that remembers, real HTTP servers, and Temporal's activity environment."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from activities.addresses import parse_networks
from activities.outbound import open_client
from activities.resources import Resources
from store.database import Database, open_database
from tests.activities.bus import RememberingBus
from tests.activities.server import HttpServer, serving

LOOPBACK = parse_networks("127.0.0.0/8, ::1/128")


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    """A fresh database with the whole schema."""
    async with open_database(postgres_url) as opened:
        yield opened


@pytest.fixture
def bus() -> RememberingBus:
    """A publisher that keeps what was published."""
    return RememberingBus()


@pytest.fixture
def server() -> Iterator[HttpServer]:
    """A real HTTP server on the loopback interface."""
    with serving() as running:
        yield running


@pytest.fixture
async def outside(bus: RememberingBus) -> AsyncIterator[Resources]:
    """Resources without a database, whose client may reach the loopback interface."""
    async with open_client(LOOPBACK) as http:
        yield Resources(http, publisher=bus, source="tests")


@pytest.fixture
async def resources(database: Database, bus: RememberingBus) -> AsyncIterator[Resources]:
    """Resources with everything."""
    async with open_client(LOOPBACK) as http:
        yield Resources(http, database=database, publisher=bus, source="tests")

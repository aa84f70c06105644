"""Fixtures of the fault suite: stages on the shared servers, and on servers of its own that may be killed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cli.stack.events import Service
from cli.stack.folder import StateFolder
from tests.chaos.bridges import Addresses
from tests.chaos.servers import Servers, own_servers
from tests.chaos.stage import Stage, staged
from tests.services.postgres import fresh_database


@pytest.fixture
async def stage(
    request: pytest.FixtureRequest, temporal_service: Service, amqp_url: str, postgres_url: str, tmp_path: Path
) -> AsyncIterator[Stage]:
    """A stage on the servers that all tests share."""
    addresses = Addresses(amqp_url, postgres_url, temporal_service.url)
    async with staged(request.node.name, addresses, tmp_path) as opened:
        yield opened


@pytest.fixture(scope="session")
async def servers(stack_folder: StateFolder) -> AsyncIterator[Servers]:
    """Servers that may be killed; each test leaves them running."""
    async with own_servers(StateFolder.at(stack_folder.path / "chaos")) as opened:
        yield opened


@pytest.fixture
async def own_stage(request: pytest.FixtureRequest, servers: Servers, tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage on them."""
    await servers.revive()
    database = await fresh_database(servers.postgres_service)
    addresses = Addresses(await servers.node.fresh_url(), database, servers.temporal_url)
    async with staged(request.node.name, addresses, tmp_path) as opened:
        yield opened

"""Fixtures of the fault suite: environments on the shared servers, and on servers of the suite that may be killed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cli.stack.events import Service
from cli.stack.folder import StateFolder
from tests.chaos.bridge_processes import Addresses
from tests.chaos.environment import ChaosEnvironment, open_environment
from tests.chaos.servers import Servers, own_servers
from tests.support.services.postgres import empty_database


@pytest.fixture
async def env(
    request: pytest.FixtureRequest, temporal_service: Service, amqp_url: str, postgres_url: str, tmp_path: Path
) -> AsyncIterator[ChaosEnvironment]:
    """An environment on the servers that all tests share."""
    addresses = Addresses(amqp_url, postgres_url, temporal_service.url)
    async with open_environment(request.node.name, addresses, tmp_path) as opened:
        yield opened


@pytest.fixture(scope="session")
async def servers(stack_folder: StateFolder) -> AsyncIterator[Servers]:
    """Servers that may be killed; each test leaves them running."""
    async with own_servers(StateFolder.at(stack_folder.path / "chaos")) as opened:
        yield opened


@pytest.fixture
async def env_on_own_servers(
    request: pytest.FixtureRequest, servers: Servers, tmp_path: Path
) -> AsyncIterator[ChaosEnvironment]:
    """An environment on them."""
    await servers.start_if_stopped()
    database = await empty_database(servers.postgres_service)
    addresses = Addresses(await servers.node.fresh_url(), database, servers.temporal_url)
    async with open_environment(request.node.name, addresses, tmp_path) as opened:
        yield opened

"""Fixtures of the bridge's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client

from tests.bridge.environment import BridgeEnvironment, open_environment
from tests.support.services.rabbitmq import Broker, own_folder, own_node


@pytest.fixture
async def own_broker() -> AsyncIterator[Broker]:
    """A node of this test's own, which may be restarted, or blocked for all who publish."""
    with own_folder() as folder:
        async with own_node(folder) as running:
            yield running


@pytest.fixture
async def env(client: Client, amqp_url: str, postgres_url: str) -> AsyncIterator[BridgeEnvironment]:
    """A worker with workflows, and a factory of bridges that start them."""
    async with open_environment(client, amqp_url, postgres_url) as opened:
        yield opened

"""Workers for the shipped definitions."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from activities.resources import Resources
from tests.definitions.hosting import Host, hosting


@pytest.fixture
async def host(client: Client, resources: Resources) -> AsyncIterator[Host]:
    """A worker on the real server."""
    async with hosting(client, resources) as running:
        yield running


@pytest.fixture
async def skipping_host(time_skipping: WorkflowEnvironment, resources: Resources) -> AsyncIterator[Host]:
    """A worker on the server that skips time."""
    async with hosting(time_skipping.client, resources) as running:
        yield running

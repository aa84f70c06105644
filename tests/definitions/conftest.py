"""Resources and a worker for the shipped definitions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from activities.outbound import open_client
from activities.resources import Resources
from cli.stack.temporal import SEARCH_ATTRIBUTES
from store.database import Database, open_database
from tests.activities.bus import RememberingBus
from tests.definitions.hosting import Host, hosting


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
async def resources(database: Database, bus: RememberingBus) -> AsyncIterator[Resources]:
    """Resources with everything."""
    async with open_client() as http:
        yield Resources(http, database=database, publisher=bus)


@pytest.fixture
async def host(client: Client, resources: Resources) -> AsyncIterator[Host]:
    """A worker on the real server."""
    async with hosting(client, resources) as running:
        yield running


@pytest.fixture(scope="session")
async def prepared_time_skipping(time_skipping: WorkflowEnvironment) -> WorkflowEnvironment:
    """The server that skips time, with the search attributes that runs carry."""
    for name, kind in SEARCH_ATTRIBUTES.items():
        request = AddSearchAttributesRequest(namespace="default", search_attributes={name: kind})
        # This server cannot list them; one that is there already is what we want.
        with suppress(RPCError):
            await time_skipping.client.operator_service.add_search_attributes(request)
    return time_skipping


@pytest.fixture
async def skipping_host(prepared_time_skipping: WorkflowEnvironment, resources: Resources) -> AsyncIterator[Host]:
    """A worker on the server that skips time."""
    async with hosting(prepared_time_skipping.client, resources) as running:
        yield running

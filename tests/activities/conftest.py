"""What actions talk to: a real HTTP server, and a client that may reach it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from activities.outbound import open_client
from activities.resources import Resources
from tests.activities.server import HttpServer, serving
from tests.support.fixtures import LOOPBACK_NETWORKS
from tests.support.recording_publisher import RecordingPublisher


@pytest.fixture
def server() -> Iterator[HttpServer]:
    """A real HTTP server on the loopback interface."""
    with serving() as running:
        yield running


@pytest.fixture
async def outside(publisher: RecordingPublisher) -> AsyncIterator[Resources]:
    """Resources without a database, whose client may reach the loopback interface."""
    async with open_client(LOOPBACK_NETWORKS) as http:
        yield Resources(http, publisher=publisher, source="tests")

"""What tests ask for by name. A server starts when the first test of the run asks for it; what a test is given on it (a
database, a virtual host, a location) is its own.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from activities.addresses import parse_networks
from activities.outbound import open_client
from activities.resources import Resources
from cli.stack import temporal as temporal_stack
from cli.stack.events import Service
from cli.stack.folder import StateFolder
from store.database import Database, open_database
from tests.support.bus import Bus, open_bus
from tests.support.processes import passable_folder
from tests.support.recording_publisher import RecordingPublisher
from tests.support.servers import described
from tests.support.services import postgres, rabbitmq, s3, temporal
from tests.support.services.cluster import Cluster, serving_cluster
from tests.support.services.rabbitmq import Broker
from tests.support.services.s3 import S3Server

LOOPBACK_NETWORKS = parse_networks("127.0.0.0/8, ::1/128")


@pytest.fixture(scope="session")
def stack_folder() -> Iterator[StateFolder]:
    """A folder for servers of one worker's own."""
    folder = passable_folder()
    yield StateFolder.at(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def temporal_service(pytestconfig: pytest.Config, worker_id: str) -> Service:
    """The real Temporal server; `.url` is `host:port`, the namespace is `default`. Each worker has one, because a
    worker of the product also looks after runs that others have left behind: all there are on a server.
    """
    return temporal.service_of(described(pytestconfig, f"temporal/{worker_id}"))


@pytest.fixture
async def client(temporal_service: Service) -> Client:
    """A plain client of the real Temporal server. Tests choose their own task queues and workflow ids."""
    return await Client.connect(temporal_service.url, namespace=temporal_stack.NAMESPACE)


@pytest.fixture
async def time_skipping(tmp_path: Path) -> AsyncIterator[WorkflowEnvironment]:
    """A Temporal server of the test's own that skips time."""
    async with temporal.skipping_time(tmp_path) as environment:
        yield environment


@pytest.fixture(scope="session")
def postgres_service(pytestconfig: pytest.Config, worker_id: str) -> Service:
    """The real PostgreSQL server; each worker has one, because readers of the event log wait for the oldest transaction
    of a whole server, and those of tests that run beside would be among them.
    """
    return postgres.service_of(described(pytestconfig, f"postgres/{worker_id}"))


@pytest.fixture
async def postgres_url(postgres_service: Service) -> str:
    """The URL of a database with the whole schema and nothing in it."""
    return await postgres.fresh_database(postgres_service)


@pytest.fixture
async def empty_postgres_url(postgres_service: Service) -> str:
    """The URL of a database without a schema."""
    return await postgres.empty_database(postgres_service)


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    """An opened database with the whole schema and nothing in it."""
    async with open_database(postgres_url) as opened:
        yield opened


@pytest.fixture(scope="session")
def rabbitmq_node(pytestconfig: pytest.Config) -> Broker:
    """The real broker; `await rabbitmq_node.control("list_queues")` asks it what it has."""
    return rabbitmq.broker_of(described(pytestconfig, "rabbitmq"))


@pytest.fixture
async def amqp_url(rabbitmq_node: Broker) -> AsyncIterator[str]:
    """The URL of an empty virtual host."""
    url = await rabbitmq_node.fresh_url()
    yield url
    rabbitmq_node.give_back(url)


@pytest.fixture
async def bus(amqp_url: str) -> AsyncIterator[Bus]:
    """The bus of that virtual host, as a foreign producer or an operator uses it."""
    async with open_bus(amqp_url) as opened:
        yield opened


@pytest.fixture(scope="session")
async def running_cluster(stack_folder: StateFolder) -> AsyncIterator[Cluster]:
    """A cluster of three brokers; a test may leave nodes of it dead."""
    async with serving_cluster(stack_folder) as cluster:
        yield cluster


@pytest.fixture
async def cluster(running_cluster: Cluster) -> Cluster:
    """The cluster with all its nodes running."""
    await running_cluster.whole()
    return running_cluster


@pytest.fixture
async def cluster_url(cluster: Cluster) -> str:
    """The URL of an empty virtual host of the cluster."""
    return await cluster.fresh_url()


@pytest.fixture(scope="session")
def s3_server(pytestconfig: pytest.Config) -> S3Server:
    """The real S3 server."""
    return s3.server_of(described(pytestconfig, "s3"))


@pytest.fixture
def s3_location() -> str:
    """A location in the bucket that is empty."""
    return s3.fresh_location()


@pytest.fixture
def publisher() -> RecordingPublisher:
    """A publisher that keeps what was published."""
    return RecordingPublisher()


@pytest.fixture
async def resources(database: Database, publisher: RecordingPublisher) -> AsyncIterator[Resources]:
    """What actions run with: the database, the publisher, and a client that may reach the loopback interface."""
    async with open_client(LOOPBACK_NETWORKS) as http:
        yield Resources(http, database=database, publisher=publisher, source="tests")

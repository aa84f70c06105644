"""The stage of the acceptance tests: worker and bridge, each a process, shared by tests that kill nothing."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from activities.outbound import open_client
from activities.resources import Resources
from cli.stack import temporal
from cli.stack.events import Service
from cli.stack.ports import choose_port
from store.database import Database, open_database
from tests.acceptance.post import ERRANDS, SECRET, Post
from tests.acceptance.processes import SHIPPED, Place, running, running_both
from tests.acceptance.scenes import Theatre
from tests.acceptance.skipping import add_search_attributes
from tests.acceptance.tap import Tap, open_tap
from tests.activities.bus import RememberingBus
from tests.bridge.bus import open_bus
from tests.definitions.hosting import hosting
from tests.definitions.shipped import SEED
from tests.services.postgres import fresh_database
from tests.services.rabbitmq import Broker

SEED_TYPE = "agent-creation-v1"


@dataclass(frozen=True)
class Stage:
    """A worker and a bridge that run, and what tests look at."""

    place: Place
    client: Client
    database: Database
    tap: Tap


@pytest.fixture(scope="session")
async def stage(
    temporal_service: Service,
    postgres_service: Service,
    rabbitmq_node: Broker,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Stage]:
    """The shipped definitions, but the seed's as the JSON document that it is; `saga worker` and `saga bridge`."""
    folder = tmp_path_factory.mktemp("acceptance")
    database_url, amqp_url = await fresh_database(postgres_service), await rabbitmq_node.fresh_url()
    queue = f"acceptance-{uuid.uuid4().hex[:8]}"
    place = Place(folder, temporal_service.url, database_url, amqp_url, queue, _with_seed(folder / "definitions"))
    client = await Client.connect(temporal_service.url, namespace=temporal.NAMESPACE)
    async with (
        open_database(database_url) as database,
        open_tap(amqp_url, "agent.ready", "agent.withdrawn", "order.fulfilled") as tap,
        running(place, "worker"),
        running(place, "bridge"),
    ):
        yield Stage(place, client, database, tap)


def _with_seed(folder: Path) -> Path:
    shutil.copytree(SHIPPED, folder, ignore=shutil.ignore_patterns(SEED_TYPE, "__pycache__"))
    shutil.copy(SEED, folder / f"{SEED_TYPE}.json")
    return folder


@pytest.fixture(scope="session")
async def post(
    temporal_service: Service,
    postgres_service: Service,
    rabbitmq_node: Broker,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Post]:
    """The post office: it writes CloudEvents and takes webhooks."""
    folder = tmp_path_factory.mktemp("post")
    database_url, amqp_url = await fresh_database(postgres_service), await rabbitmq_node.fresh_url()
    definitions = Path(shutil.copytree(ERRANDS, folder / "definitions"))
    extra = {"SAGA_EVENT_FORM": "cloudevents", "SAGA_HTTP_PORT": str(choose_port()), "SHOP_SECRET": SECRET}
    queue = f"post-{uuid.uuid4().hex[:8]}"
    place = Place(folder, temporal_service.url, database_url, amqp_url, queue, definitions, extra=extra)
    client = await Client.connect(temporal_service.url, namespace=temporal.NAMESPACE)
    async with (
        open_database(database_url) as database,
        running_both(place) as (worker, bridge),
        open_bus(amqp_url) as bus,
    ):
        yield Post(place, client, database, bus, worker, bridge)


@pytest.fixture
async def resources(postgres_url: str, bus: RememberingBus) -> AsyncIterator[Resources]:
    """Real resources, but a bus that only remembers."""
    async with open_client() as http, open_database(postgres_url) as database:
        yield Resources(http, database=database, publisher=bus)


@pytest.fixture
def bus() -> RememberingBus:
    """A publisher that keeps what was published."""
    return RememberingBus()


@pytest.fixture
async def now(client: Client, resources: Resources) -> AsyncIterator[Theatre]:
    """The real server with the shipped definitions."""
    async with hosting(client, resources) as host:
        yield Theatre(host)


@pytest.fixture
async def later(time_skipping: WorkflowEnvironment, resources: Resources) -> AsyncIterator[Theatre]:
    """The server that skips time with the shipped definitions."""
    await add_search_attributes(time_skipping)
    async with hosting(time_skipping.client, resources) as host:
        yield Theatre(host, time_skipping)

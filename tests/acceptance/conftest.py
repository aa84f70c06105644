"""Fixtures of the acceptance tests: two deployments (a worker and a bridge process each) for the whole session.

`shipped_deployment` runs the shipped definitions, `event_deployment` those of `event_definitions/`.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from activities.resources import Resources
from cli.stack import temporal
from cli.stack.events import Service
from cli.stack.ports import choose_port
from store.database import Database, open_database
from tests.acceptance.event_deployment import DEFINITIONS, SECRET, EventDeployment
from tests.acceptance.event_listener import EventListener, open_listener
from tests.acceptance.processes import SHIPPED, ProcessSettings, running, running_both
from tests.acceptance.scenarios import ScenarioHost
from tests.definitions.hosting import hosting
from tests.definitions.shipped import SEED
from tests.support.bus import open_bus
from tests.support.services.postgres import fresh_database
from tests.support.services.rabbitmq import Broker

SEED_TYPE = "agent-creation-v1"


@dataclass(frozen=True)
class ShippedDeployment:
    """A worker and a bridge with the shipped definitions, and the clients with which tests observe them."""

    settings: ProcessSettings
    client: Client
    database: Database
    listener: EventListener


@pytest.fixture(scope="session")
async def shipped_deployment(
    temporal_service: Service,
    postgres_service: Service,
    rabbitmq_node: Broker,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[ShippedDeployment]:
    """`saga worker` and `saga bridge` with the shipped definitions; the seed's is the original JSON document."""
    folder = tmp_path_factory.mktemp("acceptance")
    database_url, amqp_url = await fresh_database(postgres_service), await rabbitmq_node.fresh_url()
    queue = f"acceptance-{uuid.uuid4().hex[:8]}"
    settings = ProcessSettings(
        folder, temporal_service.url, database_url, amqp_url, queue, _with_seed(folder / "definitions")
    )
    client = await Client.connect(temporal_service.url, namespace=temporal.NAMESPACE)
    async with (
        open_database(database_url) as database,
        open_listener(amqp_url, "agent.ready", "agent.withdrawn", "order.fulfilled") as listener,
        running(settings, "worker"),
        running(settings, "bridge"),
    ):
        yield ShippedDeployment(settings, client, database, listener)


def _with_seed(folder: Path) -> Path:
    shutil.copytree(SHIPPED, folder, ignore=shutil.ignore_patterns(SEED_TYPE, "__pycache__"))
    shutil.copy(SEED, folder / f"{SEED_TYPE}.json")
    return folder


@pytest.fixture(scope="session")
async def event_deployment(
    temporal_service: Service,
    postgres_service: Service,
    rabbitmq_node: Broker,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[EventDeployment]:
    """`saga worker` and `saga bridge` with `event_definitions/`; the bridge writes CloudEvents and accepts webhooks."""
    folder = tmp_path_factory.mktemp("events")
    database_url, amqp_url = await fresh_database(postgres_service), await rabbitmq_node.fresh_url()
    definitions = Path(shutil.copytree(DEFINITIONS, folder / "definitions"))
    extra = {"SAGA_EVENT_FORM": "cloudevents", "SAGA_HTTP_PORT": str(choose_port()), "SHOP_SECRET": SECRET}
    queue = f"events-{uuid.uuid4().hex[:8]}"
    settings = ProcessSettings(folder, temporal_service.url, database_url, amqp_url, queue, definitions, extra=extra)
    client = await Client.connect(temporal_service.url, namespace=temporal.NAMESPACE)
    async with (
        open_database(database_url) as database,
        running_both(settings) as (worker, bridge),
        open_bus(amqp_url) as bus,
    ):
        yield EventDeployment(settings, client, database, bus, worker, bridge)


@pytest.fixture
async def scenario_host(client: Client, resources: Resources) -> AsyncIterator[ScenarioHost]:
    """A worker with the shipped definitions on the real server."""
    async with hosting(client, resources) as host:
        yield ScenarioHost(host)


@pytest.fixture
async def time_skipping_host(time_skipping: WorkflowEnvironment, resources: Resources) -> AsyncIterator[ScenarioHost]:
    """A worker with the shipped definitions on the time-skipping server."""
    async with hosting(time_skipping.client, resources) as host:
        yield ScenarioHost(host, time_skipping)

"""The services that tests ask for are real, and fresh where they promise to be."""

from __future__ import annotations

from datetime import timedelta
from typing import LiteralString
from uuid import uuid4

import aio_pika
from temporalio import workflow
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from cli.stack import postgres
from store.database import open_database
from tests.support.services.rabbitmq import Broker


@workflow.defn(sandboxed=False)
class Sleeper:
    """Sleeps for 30 days."""

    @workflow.run
    async def run(self) -> str:
        """Sleep, then say so."""
        await workflow.sleep(timedelta(days=30))
        return "awake"


async def test_client_reaches_a_server_with_the_search_attributes(client: Client) -> None:
    """A query by our search attributes is understood."""
    assert [run async for run in client.list_workflows("SagaKey = 'x' AND SagaCorrelation = 'y'")] == []


async def test_time_skipping_passes_a_month_at_once(time_skipping: WorkflowEnvironment) -> None:
    """A workflow that sleeps for 30 days is awake before this test's patience ends."""
    queue = f"sleepers-{uuid4()}"
    async with Worker(time_skipping.client, task_queue=queue, workflows=[Sleeper]):
        assert await time_skipping.client.execute_workflow(Sleeper.run, id=queue, task_queue=queue) == "awake"


_COLUMNS: LiteralString = (
    "SELECT table_schema, table_name, column_name, data_type, column_default FROM information_schema.columns "
    "WHERE table_schema IN ('public', 'saga') ORDER BY 1, 2, 3"
)
_TABLES = "SELECT count(*) FROM information_schema.tables WHERE table_schema IN ('public', 'saga')"


async def test_empty_postgres_url_names_an_empty_database(empty_postgres_url: str) -> None:
    """There is no table in the database that a test is given."""
    assert await postgres.query(empty_postgres_url, _TABLES, empty_postgres_url.rpartition("/")[2]) == "0"


async def test_postgres_url_names_a_database_with_the_whole_schema(empty_postgres_url: str, postgres_url: str) -> None:
    """What the template gives is what the migrations make."""
    async with open_database(empty_postgres_url) as migrated, open_database(postgres_url) as copied:
        assert await copied.fetch(_COLUMNS) == await migrated.fetch(_COLUMNS)
        assert (await copied.fetch("select count(*) as number from saga.events"))[0]["number"] == 0


async def test_amqp_url_names_a_virtual_host_of_its_own(amqp_url: str, rabbitmq_node: Broker) -> None:
    """A queue in one virtual host is not seen in the next."""
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        await channel.declare_queue("mine", durable=True)
    async with await aio_pika.connect(await rabbitmq_node.fresh_url()) as connection:
        other = await connection.channel()
        assert (await other.declare_queue("mine", durable=False)).declaration_result.message_count == 0

"""The whole stack, with its real servers: started, given, killed, and carried on."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aio_pika
import pytest
from temporalio.client import Client

from cli.stack import postgres
from cli.stack.events import Happening, Service, StackEvent
from cli.stack.folder import Addresses, read_addresses
from cli.stack.ports import LOOPBACK, choose_port
from cli.stack.process import start_time
from cli.stack.stack import StackSettings, running
from contracts.errors import ServiceUnreachableError
from tests.support.services.rabbitmq import Broker
from tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]


def pids(state_dir: Path) -> list[int]:
    """The children that a state folder remembers."""
    return [json.loads(file.read_text())["pid"] for file in (state_dir / "run").glob("*.json")]


@asynccontextmanager
async def stack_in_another_process(state_dir: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a stack elsewhere, and kill that process at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.cli.stack.runner", str(state_dir)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert (await process.stdout.readline()).strip() == b"ready"
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def leave_traces(addresses: Addresses) -> None:
    """Leave a run, a row and a message behind."""
    client = await Client.connect(addresses.temporal, namespace=addresses.namespace)
    await client.start_workflow("any", id="trace", task_queue="nobody-listens")
    await postgres.query(addresses.database_url, "CREATE TABLE trace (word text)", "saga")
    await postgres.query(addresses.database_url, "INSERT INTO trace VALUES ('kept')", "saga")
    async with await aio_pika.connect(addresses.amqp_url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("trace", durable=True, arguments={"x-queue-type": "quorum"})
        message = aio_pika.Message(b"kept", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, queue.name)


async def assert_traces(addresses: Addresses) -> None:
    """All that was left behind is still there."""
    client = await Client.connect(addresses.temporal, namespace=addresses.namespace)
    description = await client.get_workflow_handle("trace").describe()
    assert description.workflow_type == "any"
    assert await postgres.query(addresses.database_url, "SELECT word FROM trace", "saga") == "kept"
    async with await aio_pika.connect(addresses.amqp_url) as connection:
        queue = await (await connection.channel()).get_queue("trace")
        message = await queue.get(timeout=PATIENCE_SECONDS)
        assert message is not None
        assert message.body == b"kept"
        await message.ack()


async def test_stack_carries_on_after_it_was_killed(state_dir: Path) -> None:
    """Run, row and message outlive a SIGKILL; the next start takes the same addresses and leaves nothing running."""
    async with stack_in_another_process(state_dir) as process:
        before = read_addresses(state_dir)
        assert before is not None
        await leave_traces(before)
        process.kill()
        await process.wait()
    events: list[StackEvent] = []
    async with running(StackSettings(state_dir, ui=False, usual_ports=False), events.append) as addresses:
        assert addresses == before
        await assert_traces(addresses)
        children = pids(state_dir)
    assert len(children) == 4
    assert [start_time(pid) for pid in children] == [None] * 4
    for happening in (Happening.STARTING, Happening.STARTED, Happening.STOPPED):
        parts = {event.part for event in events if event.happening is happening}
        assert parts == {"Temporal", "PostgreSQL", "RabbitMQ"}


async def test_given_services_are_used_and_not_started(
    temporal_service: Service, postgres_service: Service, rabbitmq_node: Broker, tmp_path: Path
) -> None:
    """What is given is used as it is: nothing starts, and nobody reads a password in what is reported."""
    settings = StackSettings(
        tmp_path,
        temporal_address=temporal_service.url,
        namespace="elsewhere",
        database_url=postgres_service.url,
        amqp_url=rabbitmq_node.service.url,
    )
    events: list[StackEvent] = []
    async with running(settings, events.append) as addresses:
        assert pids(tmp_path) == []
    assert addresses == Addresses(
        temporal_service.url, "elsewhere", None, postgres_service.url, rabbitmq_node.service.url
    )
    assert {event.happening for event in events} == {Happening.GIVEN}
    assert not any("guest" in event.address or "postgres:" in event.address for event in events)


async def test_stopping_is_told_however_the_block_is_left(
    state_dir: Path, postgres_service: Service, rabbitmq_node: Broker
) -> None:
    """An error inside stops what was started, and says so."""
    settings = StackSettings(
        state_dir, database_url=postgres_service.url, amqp_url=rabbitmq_node.service.url, ui=False, usual_ports=False
    )
    events: list[StackEvent] = []
    with pytest.raises(ZeroDivisionError):
        async with running(settings, events.append):
            raise ZeroDivisionError
    assert (events[-1].part, events[-1].happening) == ("Temporal", Happening.STOPPED)


async def test_given_service_that_is_away_is_named(state_dir: Path, temporal_service: Service) -> None:
    """The error names service and address, without the password, and what was started meanwhile is stopped."""
    nowhere = f"{LOOPBACK}:{choose_port()}"
    settings = StackSettings(
        state_dir,
        temporal_address=temporal_service.url,
        amqp_url=f"amqp://me:secret@{nowhere}/",
        usual_ports=False,
    )
    events: list[StackEvent] = []
    with pytest.raises(ServiceUnreachableError) as caught:
        async with running(settings, events.append):
            pytest.fail("started without its broker")
    stopped = {event.part for event in events if event.happening is Happening.STOPPED}
    assert stopped == {event.part for event in events if event.happening is Happening.STARTED}
    assert "RabbitMQ" in str(caught.value)
    assert nowhere in str(caught.value)
    assert "secret" not in str(caught.value)
    assert pids(state_dir) == []

"""`saga worker` and `saga bridge` while what they need does not answer yet: they say so once, and wait."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import pytest

from cli.exits import Exit
from cli.stack.ports import LOOPBACK
from tests.support.command_line import Shell, until_line
from tests.support.proxy import Proxy, amqp_proxy, proxy


@asynccontextmanager
async def _cut_off(shell: Shell, postgres_url: str, amqp_url: str) -> AsyncIterator[tuple[Shell, dict[str, Proxy]]]:
    """A shell whose three services are behind proxies that are cut."""
    host, _, port = shell.environment["TEMPORAL_ADDRESS"].partition(":")
    store = urlsplit(postgres_url)
    async with AsyncExitStack() as stack:
        temporal = await stack.enter_async_context(proxy(host, int(port)))
        postgres = await stack.enter_async_context(proxy(store.hostname or LOOPBACK, store.port or 5432))
        rabbit, amqp = await stack.enter_async_context(amqp_proxy(amqp_url))
        account = store.netloc.rpartition("@")[0]
        behind = shell.with_environment(
            TEMPORAL_ADDRESS=f"{LOOPBACK}:{temporal.port}",
            SAGA_DATABASE_URL=urlunsplit(store._replace(netloc=f"{account}@{LOOPBACK}:{postgres.port}")),
            SAGA_AMQP_URL=amqp,
        )
        lines = {"Temporal": temporal, "PostgreSQL": postgres, "RabbitMQ": rabbit}
        for line in lines.values():
            line.cut()
        yield behind, lines


@pytest.mark.parametrize(
    ("command", "needs", "serves"),
    [
        ("worker", ["Temporal", "PostgreSQL"], "Worker on task queue"),
        ("bridge", ["Temporal", "PostgreSQL", "RabbitMQ"], "Bridge consumes events"),
    ],
)
async def test_service_process_waits_for_what_is_away(
    connected: Shell, postgres_url: str, amqp_url: str, command: str, needs: list[str], serves: str
) -> None:
    """Each service is named with its address, once; then that it was found; then the process serves."""
    async with _cut_off(connected, postgres_url, amqp_url) as (shell, lines), shell.running(command) as process:
        for service in needs:
            where = f"{service} at {LOOPBACK}:{lines[service].port}"
            await until_line(process, f"Waiting for {where}", on_stderr=True)
            await lines[service].tried()
            lines[service].mend()
            told = await until_line(process, f"Found {where}", on_stderr=True)
            assert not any("Waiting" in line for line in told)
        await until_line(process, serves, on_stderr=True)
        process.send_signal(signal.SIGTERM)
        await process.communicate()
    assert process.returncode == Exit.OK


async def test_worker_waits_for_a_namespace_that_is_not_there_yet(connected: Shell) -> None:
    """It is made by whoever sets Temporal up, perhaps later than workers start; a signal ends the wait."""
    shell = connected.with_environment(TEMPORAL_NAMESPACE="made-tomorrow")
    async with shell.running("worker") as process:
        lines = await until_line(process, "Waiting for Temporal", on_stderr=True)
        assert "make the namespace 'made-tomorrow' there" in lines[-1]
        process.send_signal(signal.SIGTERM)
        _, rest = await process.communicate()
    assert (process.returncode, b"Unexpected" in rest) == (Exit.OK, False)


async def test_commands_that_people_wait_for_end_at_once(connected: Shell, postgres_url: str, amqp_url: str) -> None:
    """Exit code 3, with the address."""
    async with _cut_off(connected, postgres_url, amqp_url) as (shell, lines):
        listed, letters = await asyncio.gather(shell.saga("list"), shell.saga("dlq", "list"))
    assert (listed.code, letters.code) == (Exit.UNREACHABLE, Exit.UNREACHABLE)
    assert f"{LOOPBACK}:{lines['Temporal'].port}" in listed.err
    assert f"{LOOPBACK}:{lines['PostgreSQL'].port}" in letters.err

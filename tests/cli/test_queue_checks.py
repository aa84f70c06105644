"""`saga doctor` on our queues: who consumes them, and what waits in them."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.client import Client

from bridge.amqp.connection import connected
from bridge.amqp.topology import declare_queues
from bridge.depths import QueueDepth
from bridge.settings import BridgeSettings
from bridge.topology.names import INBOX
from cli.checks import Check, consumption
from tests.bridge.environment import open_environment
from tests.bridge.library import event
from tests.support.bus import TOPOLOGY, open_bus
from tests.support.command_line import Shell
from tests.support.waiting import eventually

CONSUMED = ("a", "b", "c")


def _checked(*depths: tuple[str, int, int]) -> Check:
    return consumption([QueueDepth(*each) for each in depths], CONSUMED)


@pytest.mark.parametrize(
    ("depths", "status", "found", "cure"),
    [
        ((), "ok", "none yet", ""),
        ((("a", 0, 1), ("b", 0, 1)), "ok", "2 queues consumed; nothing waits", ""),
        ((("a", 3, 1), ("b", 0, 1)), "ok", "2 queues consumed; 3 messages wait in a", ""),
        ((("a", 0, 0), ("b", 0, 0)), "warning", "nobody consumes them; nothing waits", "saga bridge"),
        ((("a", 2, 0), ("b", 9, 0)), "warning", "nobody consumes them; 11 messages wait in b, a", "saga bridge"),
        ((("a", 0, 1), ("b", 9, 0)), "warning", "nobody consumes b; 9 messages wait in b", "session_lost"),
        ((("a", 20_000, 1),), "warning", "messages wait in a", "saga events top"),
        ((("other", 9, 0), ("a", 0, 1)), "ok", "1 queue consumed; nothing waits", ""),
    ],
)
def test_consumption_is_judged(depths: tuple[tuple[str, int, int], ...], status: str, found: str, cure: str) -> None:
    """What nobody consumes is a warning with its cure, and so is a deep queue."""
    check = _checked(*depths)
    assert check.status == status
    assert found in check.found
    assert cure in check.cure
    assert bool(check.cure) == (status != "ok")


async def test_doctor_sees_queues_that_nobody_consumes(
    shell: Shell, client: Client, amqp_url: str, postgres_url: str
) -> None:
    """With the messages that wait in them; and that all is well once a bridge consumes."""
    shell.write("definitions/topology.yaml", f"partitions: {TOPOLOGY.partitions}\n")
    asking = shell.with_environment(SAGA_AMQP_URL=amqp_url)

    async def found() -> dict[str, Any]:
        checks = (await asking.saga("doctor", "--json")).json
        return next(check for check in checks if check["about"] == "Queues")

    async def waits() -> bool:
        return f"nobody consumes them; 1 message waits in {INBOX}" in (await found())["found"]

    async def is_well() -> bool:
        return "consumed; nothing waits" in (await found())["found"]

    async with connected(amqp_url, "test") as connection:
        await declare_queues(connection, BridgeSettings(TOPOLOGY))
    async with open_bus(amqp_url) as bus:
        await bus.publish(event("nobody.cares", {}, "waits"))
    await eventually(waits)
    assert ((await found())["status"], "saga bridge" in (await found())["cure"]) == ("warning", True)
    async with open_environment(client, amqp_url, postgres_url) as env, env.bridge():
        await eventually(is_well)
        assert (await found())["status"] == "ok"

"""Queues are deleted while the bridge consumes from them; it declares them again.

The messages in a queue that an operator deletes are gone: the broker drops them, and there is no other copy. All else
is promised: what was handled before stays so, and what is confirmed afterwards is handled once. A message that
is published while no queue is there is returned (`mandatory`), and its producer repeats it. So here the producers pause
until every confirmed event was handled; then the queue is deleted, and they go on at once.

Two limits. An event that the relay publishes while the inbox is away is no failure of its writer; it goes to
`events.unrouted`, so the outbox takes no part when the inbox goes. And while a partition is away its keys go to other
partitions, so the order of a key is not promised across that moment, and only sequences without order are published.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from bridge.topology.names import DEAD_LETTERS, INBOX, partition_queue
from tests.chaos.environment import ChaosEnvironment
from tests.chaos.message_sequences import UNORDERED
from tests.chaos.size import sized
from tests.support.bus import open_bus

pytestmark = pytest.mark.fault

_DIRECT: Sequence[str] = ("sorted", "marked")


@pytest.mark.parametrize(
    ("queue", "load"),
    [
        (INBOX, {"routes": _DIRECT, "kinds": {"quick": 6, "signals": 3, "early_signals": 1, "poison": 1, "twice": 1}}),
        (partition_queue("normal", 1), {"kinds": UNORDERED}),
        (DEAD_LETTERS, {}),
    ],
    ids=["inbox", "partition", "dead-letters"],
)
async def test_queue_that_is_deleted_comes_back_and_loses_nothing_new(
    env: ChaosEnvironment, queue: str, load: Mapping[str, Any]
) -> None:
    """The bridge notices, declares it again, and goes on."""
    await env.bridges.started()
    for _ in range(sized(1, 4)):
        async with env.loading(**load) as producers:
            await producers.wait_for_confirms(sized(50, 200))
        await env.at_rest()
        async with open_bus(env.amqp_url) as bus:
            await (await bus.queue(queue)).delete(if_unused=False, if_empty=False)
        env.ledger.notes["deletions"] += 1
        async with env.loading(**load) as producers:
            await env.recovered()
            await producers.wait_for_confirms(sized(50, 200))
    await env.check()

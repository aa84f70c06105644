"""Queues are deleted under the feet of the bridge, which makes them again.

What waits in a queue that an operator deletes is gone: the broker was told to drop it, and nobody else has it. What
is promised is everything else: what was handled before stays so, and what is confirmed afterwards is handled once.
A producer that publishes while no queue is there is told (`mandatory`) and repeats. So here the producers rest until
everything they have a confirm for was handled; then the queue goes, and they go on at once.

Two limits. An event that the relay publishes while the inbox is away is no failure of its writer; it goes to
`events.unrouted`, so the outbox takes no part when the inbox goes. And while a partition is away its keys go to other
partitions, so the order of a key is not promised across that moment, and only stories without order are told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from bridge.topology.names import DEAD_LETTERS, INBOX, partition_queue
from tests.bridge.bus import open_bus
from tests.chaos.size import sized
from tests.chaos.stage import Stage
from tests.chaos.stories import UNORDERED

_DIRECT: Sequence[str] = ("sorted", "marked")


@pytest.mark.parametrize(
    ("queue", "load"),
    [
        (INBOX, {"ways": _DIRECT, "kinds": {"quick": 6, "talk": 3, "early": 1, "poison": 1, "twice": 1}}),
        (partition_queue("normal", 1), {"kinds": UNORDERED}),
        (DEAD_LETTERS, {}),
    ],
    ids=["inbox", "partition", "dead-letters"],
)
async def test_queue_that_is_deleted_comes_back_and_loses_nothing_new(
    stage: Stage, queue: str, load: Mapping[str, Any]
) -> None:
    """The bridge notices, declares it again, and goes on."""
    await stage.bridges.started()
    for _ in range(sized(1, 4)):
        async with stage.loading(**load) as producers:
            await producers.passes(sized(50, 200))
        await stage.at_rest()
        async with open_bus(stage.amqp_url) as bus:
            await (await bus.queue(queue)).delete(if_unused=False, if_empty=False)
        stage.ledger.notes["deletions"] += 1
        async with stage.loading(**load) as producers:
            await stage.recovered()
            await producers.passes(sized(50, 200))
    await stage.check()

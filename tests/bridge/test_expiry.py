"""Time to live: what is too late is not carried out, wherever it stands in a queue."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bridge.topology.model import Topology
from store.event_reader import find
from tests.bridge.bus import Bus
from tests.bridge.library import event
from tests.bridge.world import World


async def test_event_whose_time_is_over_is_not_carried_out(world: World, bus: Bus) -> None:
    """It is recorded as expired and acknowledged; one that still has time is served."""
    late, early = world.key(), world.key()
    now = datetime.now(UTC)
    async with world.bridge():
        await bus.publish(replace(event("quick.go", {"id": late}, late), expires_at=now - timedelta(seconds=1)))
        await bus.publish(replace(event("quick.go", {"id": early}, early), expires_at=now + timedelta(hours=1)))
        await world.outcomes.until(2)
    assert sorted(outcome.word for outcome in world.outcomes) == ["dispatched", "expired"]
    assert [logged.outcome for logged in await find(world.database, late)] == ["expired"]
    assert await world.letters(0) == []


async def test_event_that_expires_while_it_waits_behind_others_is_not_carried_out(world: World, bus: Bus) -> None:
    """What its producer gave a short life by AMQP dies in the queue or in hand, and never starts a run."""
    key = world.key()
    async with world.bridge():
        pass
    one = event("quick.go", {"id": key}, key)
    await bus.publish(one, expiration=timedelta(milliseconds=1))
    async with world.bridge():
        await bus.publish(event("quick.go", {"id": f"{key}-next"}, f"{key}-next"))
        await world.finished_once(f"quick/{key}-next")
        letters = await world.letters(0)
    assert [outcome.event_id for outcome in world.outcomes if outcome.word == "dispatched"] == [f"{key}-next"]
    assert [letter.code for letter in letters] in ([], ["expired"])


async def test_queue_with_a_time_to_live_puts_aside_what_waited_too_long(world: World, bus: Bus) -> None:
    """Nobody consumed it in time: it is a dead letter that says so."""
    topology = Topology(partitions=1, message_ttl=timedelta(seconds=1))
    async with world.bridge(topology=topology):
        pass
    await bus.publish(event("quick.go", {"id": world.key()}, "slow"))
    await bus.becomes("saga.dead-letters", 1)
    async with world.bridge(topology=topology):
        letter = await world.letter()
    assert (letter.code, letter.event_id) == ("expired", "slow")

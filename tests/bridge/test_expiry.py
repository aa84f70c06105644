"""Time to live: what is too late is not carried out, wherever it stands in a queue."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bridge.topology.model import Topology
from store.event_reader import find
from tests.bridge.environment import BridgeEnvironment
from tests.bridge.library import event
from tests.support.bus import Bus


async def test_event_whose_time_is_over_is_not_carried_out(env: BridgeEnvironment, bus: Bus) -> None:
    """It is recorded as expired and acknowledged; one that still has time is served."""
    late, early = env.key(), env.key()
    now = datetime.now(UTC)
    async with env.bridge():
        await bus.publish(replace(event("quick.go", {"id": late}, late), expires_at=now - timedelta(seconds=1)))
        await bus.publish(replace(event("quick.go", {"id": early}, early), expires_at=now + timedelta(hours=1)))
        await env.outcomes.until(2)
    assert sorted(outcome.word for outcome in env.outcomes) == ["dispatched", "expired"]
    assert [logged.outcome for logged in await find(env.database, late)] == ["expired"]
    assert await env.letters(0) == []


async def test_event_that_expires_while_it_waits_behind_others_is_not_carried_out(
    env: BridgeEnvironment, bus: Bus
) -> None:
    """What its producer gave a short life by AMQP dies in the queue or in hand, and never starts a run."""
    key = env.key()
    async with env.bridge():
        pass
    one = event("quick.go", {"id": key}, key)
    await bus.publish(one, expiration=timedelta(milliseconds=1))
    async with env.bridge():
        await bus.publish(event("quick.go", {"id": f"{key}-next"}, f"{key}-next"))
        await env.finished_once(f"quick/{key}-next")
        letters = await env.letters(0)
    assert [outcome.event_id for outcome in env.outcomes if outcome.word == "dispatched"] == [f"{key}-next"]
    assert [letter.code for letter in letters] in ([], ["expired"])


async def test_queue_with_a_time_to_live_puts_aside_what_waited_too_long(env: BridgeEnvironment, bus: Bus) -> None:
    """Nobody consumed it in time: it is a dead letter that says so."""
    topology = Topology(partitions=1, message_ttl=timedelta(seconds=1))
    async with env.bridge(topology=topology):
        pass
    await bus.publish(event("quick.go", {"id": env.key()}, "slow"))
    await bus.becomes("saga.dead-letters", 1)
    async with env.bridge(topology=topology):
        letter = await env.letter()
    assert (letter.code, letter.event_id) == ("expired", "slow")

"""The whole way of a dead letter: put aside by the bridge, collected, and published again once the cause is mended."""

from __future__ import annotations

from bridge.amqp.letters import event_of, retried
from bridge.amqp.publisher import open_publisher
from contracts.envelope import Event
from store.event_reader import find
from tests.bridge.environment import BridgeEnvironment
from tests.bridge.library import event
from tests.support.bus import Bus


def _about(key: str, kind: str, say: str = "") -> Event:
    return event(kind, {"id": key, "say": say}, f"{kind}-{key}-{say}")


async def test_retry_is_handled_although_the_event_was_seen_and_is_not_done_twice(
    env: BridgeEnvironment, bus: Bus
) -> None:
    """A signal for a run that was not there is delivered once it is; retried once more, it is not delivered again."""
    key = env.key()
    note = _about(key, "patient.note", "once")
    async with env.bridge() as bridge, open_publisher(env.amqp_url) as publisher:
        await bus.publish(note)
        letter = await env.letter()
        assert (letter.event_id, letter.exchange, letter.routing_key) == (note.id, "events", note.type)
        await bus.publish(_about(key, "patient.begin"))
        await env.outcomes.until(2)
        await publisher.publish(retried(event_of(letter)))
        await env.outcomes.until(3)
        await publisher.publish(retried(event_of(letter)))
        await env.outcomes.until(4)
        await bus.publish(_about(key, "patient.note", "end"))
        await env.outcomes.until(5)
        assert bridge.counts == {"dead-lettered": 1, "dispatched": 4}
    (logged,) = await find(env.database, note.id)
    assert logged.outcome == "dispatched"
    assert [said[0] for said in await env.run(f"patient/{key}").result()] == ["once", "end"]
    assert len(await env.letters(1)) == 1

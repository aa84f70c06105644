"""A held message whose time was over, put aside, and retried once its run is there."""

from __future__ import annotations

from datetime import timedelta

from bridge.amqp.letters import event_of, retried
from bridge.amqp.publisher import open_publisher
from store.event_reader import find
from tests.bridge.bus import Bus
from tests.bridge.library import definition, event, library, on
from tests.bridge.world import KEY, World
from workflows.language.triggers import Hold, Signal, Start

BRIEF = Hold(timedelta(seconds=1))
HOLDING = library(
    definition("patient", on("patient.begin", Start(KEY)), on("patient.note", Signal(KEY, "note", if_missing=BRIEF)))
)


async def test_retry_of_a_held_message_that_was_lost_is_delivered(world: World, bus: Bus) -> None:
    """That it was held once is not all that there was to do."""
    key = world.key()
    told = event("patient.note", {"id": key, "say": "end"}, f"{key}-end")
    async with world.bridge(loaded=HOLDING), open_publisher(world.amqp_url) as publisher:
        await bus.publish(told)
        letter = await world.letter()
        await bus.publish(event("patient.begin", {"id": key}, f"{key}-begin"))
        await world.outcomes.until(2)
        await publisher.publish(retried(event_of(letter)))
        await world.outcomes.until(3)
        assert [outcome.word for outcome in world.outcomes] == ["held", "dispatched", "dispatched"]
        assert await world.notes(key) == ["end"]
    (logged,) = await find(world.database, told.id)
    assert logged.outcome == "dispatched"

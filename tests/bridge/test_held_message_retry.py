"""A held message whose time was over, put aside, and retried once its run is there."""

from __future__ import annotations

from datetime import timedelta

import pytest

from store.event_reader import find
from tests.bridge.environment import KEY, BridgeEnvironment
from tests.bridge.library import definition, event, library, on
from tests.support.bus import Bus
from workflows.language.triggers import Hold, Signal, Start

pytestmark = pytest.mark.fault

BRIEF = Hold(timedelta(seconds=1))
HOLDING = library(
    definition("patient", on("patient.begin", Start(KEY)), on("patient.note", Signal(KEY, "note", if_missing=BRIEF)))
)


async def test_retry_of_a_held_message_that_was_lost_is_delivered(env: BridgeEnvironment, bus: Bus) -> None:
    """That it was held once is not all that there was to do."""
    key = env.key()
    told = event("patient.note", {"id": key, "say": "end"}, f"{key}-end")
    async with env.bridge(loaded=HOLDING):
        await bus.publish(told)
        letter = await env.letter()
        await bus.publish(event("patient.begin", {"id": key}, f"{key}-begin"))
        await env.outcomes.until(2)
        await env.retry(letter)
        await env.outcomes.until(3)
        assert [outcome.word for outcome in env.outcomes] == ["held", "dispatched", "dispatched"]
        assert await env.notes(key) == ["end"]
    (logged,) = await find(env.database, told.id)
    assert logged.outcome == "dispatched"

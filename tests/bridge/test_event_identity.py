"""What tells events apart: the id alone in our own envelope, source and id in CloudEvents."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bridge import retry
from bridge.amqp.publisher import open_publisher
from bridge.encoding import Form
from bridge.envelope import Properties, decode
from bridge.replay import begin
from bridge.selection import Criteria
from contracts.envelope import Event
from store.event_reader import find
from tests.bridge.environment import KEY, LIBRARY, BridgeEnvironment
from tests.bridge.fault_injection import FaultInjector
from tests.bridge.library import definition, event, library, on
from tests.support.bus import Bus
from workflows.language.triggers import Hold, Signal, Start

KEYLESS = library(definition("quick", on("quick.*", Start())))
HOLDING = library(
    definition(
        "patient",
        on("patient.begin", Start(KEY)),
        on("patient.note", Signal(KEY, "note", if_missing=Hold(timedelta(minutes=5)))),
    )
)
SOURCES = ("/till-1", "/till-2")


def _cloud_event(source: str, identity: str, kind: str, **data: Any) -> Event:
    document = {"specversion": "1.0", "id": identity, "source": source, "type": kind, "data": data}
    return decode(json.dumps(document | {"time": "2030-01-31T08:00:00Z"}).encode(), Properties())


async def _publish(bus: Bus, sent: Event, mode: str) -> None:
    """Publish a CloudEvent as another producer does, without anything of ours."""
    said = {"specversion": "1.0", "id": sent.id, "source": sent.source, "type": sent.type}
    said |= {"time": "2030-01-31T08:00:00Z"}
    if mode == "binary":
        headers = {f"cloudEvents:{name}": value for name, value in said.items()}
        await bus.publish_bytes(json.dumps(sent.data).encode(), sent.type, headers=headers)
    else:
        await bus.publish_bytes(json.dumps(said | {"data": sent.data}).encode(), sent.type)


@pytest.mark.parametrize("mode", ["structured", "binary"])
async def test_cloud_events_of_two_sources_are_two_events(env: BridgeEnvironment, bus: Bus, mode: str) -> None:
    """With one id and one content: both are on record, both start a run without a key, and each is repeated once."""
    key = env.key()
    events = [_cloud_event(source, key, "quick.go") for source in SOURCES]
    async with env.bridge(loaded=KEYLESS):
        for number, each in enumerate([*events, *events]):
            await _publish(bus, each, mode)
            await env.outcomes.until(number + 1)
        runs = [f"quick/{source}#{key}" for source in SOURCES]
        assert [await env.finished(run) for run in runs] == [1, 1]
    assert [outcome.word for outcome in env.outcomes] == ["dispatched", "dispatched", "duplicate", "duplicate"]
    rows = await env.database.fetch("select event_id, outcome, correlation_id from saga.events order by position")
    assert [(row["event_id"], row["outcome"]) for row in rows] == [(f"{each}#{key}", "dispatched") for each in SOURCES]
    assert len({row["correlation_id"] for row in rows}) == 2


async def test_own_envelopes_of_two_sources_are_one_event(env: BridgeEnvironment, bus: Bus) -> None:
    """Their id is unique by itself: another source is another content of it."""
    key = env.key()
    async with env.bridge(loaded=KEYLESS):
        for number, source in enumerate(SOURCES):
            sent = event("quick.go", {}, key).to_json() | {"source": source}
            await bus.publish_bytes(json.dumps(sent).encode(), "quick.go")
            await env.outcomes.until(number + 1)
    assert [outcome.word for outcome in env.outcomes] == ["dispatched", "conflict"]


async def test_cloud_event_and_own_envelope_with_one_id_are_two_events(env: BridgeEnvironment, bus: Bus) -> None:
    """Neither hides the other."""
    key = env.key()
    async with env.bridge(loaded=KEYLESS):
        await bus.publish(event("quick.go", {}, key))
        await _publish(bus, _cloud_event("/till-1", key, "quick.go"), "structured")
        await env.outcomes.until(2)
    assert [outcome.word for outcome in env.outcomes] == ["dispatched", "dispatched"]


@pytest.mark.parametrize("form", ["saga", "cloudevents", "cloudevents-binary"])
async def test_replay_knows_which_of_them_it_repeats(env: BridgeEnvironment, bus: Bus, form: Form) -> None:
    """Published again from the log, in whatever form, nothing is done twice; an event of our own likewise."""
    key = env.key()
    async with env.bridge(loaded=KEYLESS), open_publisher(env.amqp_url, form=form) as publisher:
        for source in SOURCES:
            await _publish(bus, _cloud_event(source, key, "quick.go"), "structured")
        await bus.publish(event("quick.go", {}, key))
        await env.outcomes.until(3)
        runs = [f"quick/{source}#{key}" for source in SOURCES] + [f"quick/{key}"]
        for run in runs:
            await env.begun([run])
            await env.run(run).result()
        now = datetime.now(UTC)
        replay = await begin(env.database, Criteria(now - timedelta(hours=1), now + timedelta(hours=1)))
        await replay.run(publisher)
        await env.outcomes.until(6)
        assert [await env.finished(run) for run in runs] == [1, 1, 1]
    assert env.outcomes.effects == ["started"] * 3 + ["already-started"] * 3
    assert len(await env.database.fetch("select from saga.events")) == 3


async def test_dead_letters_are_those_of_their_events(env: BridgeEnvironment, bus: Bus) -> None:
    """Each is retried for itself, and marks its own event."""
    key = env.key()
    events = [_cloud_event(source, key, "patient.note", id=key, say=source) for source in SOURCES]
    async with env.bridge() as _, open_publisher(env.amqp_url) as publisher:
        for each in events:
            await _publish(bus, each, "structured")
        letters = await env.letters(2)
        assert {letter.event_id for letter in letters} == {each.identity for each in events}
        await bus.publish(event("patient.begin", {"id": key}, f"{key}-begin"))
        await env.outcomes.until(3)
        begun = await retry.begin(env.database)
        await publisher.publish(begun.prepared(letters[0]))
        await env.outcomes.until(4)
        outcomes = [(await find(env.database, str(letter.event_id)))[0].outcome for letter in letters]
        assert outcomes == ["dispatched", "dead-lettered"]
        await publisher.publish(begun.prepared(letters[1]))
        await bus.publish(event("patient.note", {"id": key, "say": "end"}, f"{key}-end"))
        assert set(await env.notes(key)) == {*SOURCES, "end"}


async def test_held_messages_are_those_of_their_events(env: BridgeEnvironment, bus: Bus) -> None:
    """Both wait for their run, both are delivered, and each marks its own event."""
    key = env.key()
    events = [_cloud_event(source, key, "patient.note", id=key, say=source) for source in SOURCES]
    async with env.bridge(loaded=HOLDING):
        for each in events:
            await _publish(bus, each, "structured")
        await env.outcomes.until(2)
        await bus.publish(event("patient.begin", {"id": key}, f"{key}-begin"))
        await env.outcomes.until(3)
        await bus.publish(event("patient.note", {"id": key, "say": "end"}, f"{key}-end"))
        assert await env.notes(key) == [*SOURCES, "end"]
    assert [outcome.word for outcome in env.outcomes[:3]] == ["held", "held", "dispatched"]
    assert [(await find(env.database, each.identity))[0].outcome for each in events] == ["dispatched"] * 2


async def test_event_that_is_delayed_does_not_delay_the_other(env: BridgeEnvironment, bus: Bus) -> None:
    """The one that failed comes again; what has its id alone in common goes on meanwhile."""
    key = env.key()
    first, second = (_cloud_event(source, key, "quick.go", id=f"{key}{source[-1]}") for source in SOURCES)
    injector = FaultInjector("after-start", lambda _: True, times=1)
    async with env.bridge(reached=injector.reached, check=injector.check, loaded=LIBRARY):
        await _publish(bus, first, "structured")
        await env.outcomes.until(1)
        await _publish(bus, second, "structured")
        await env.outcomes.until(3)
        assert [await env.finished(f"quick/{key}{source[-1]}") for source in SOURCES] == [1, 1]
    words = {(outcome.event_id, outcome.word) for outcome in env.outcomes}
    assert words == {(first.identity, "delayed"), (second.identity, "dispatched"), (first.identity, "dispatched")}

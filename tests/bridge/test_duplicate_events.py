"""The same event again: what counts as the same, what is put aside, and what a replay that is repeated does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.topology.layout import direct_headers
from bridge.topology.model import GroupRule
from contracts.envelope import Event
from contracts.json import Json
from tests.bridge.environment import BridgeEnvironment
from tests.bridge.fault_injection import FaultInjector
from tests.bridge.library import event, template
from tests.bridge.strategies import json_values
from tests.bridge.test_metrics import Scrape
from tests.support.bus import TOPOLOGY, Bus
from tests.support.waiting import eventually

RULED = replace(TOPOLOGY, ordering=(GroupRule("quick.*", template("${ event.data.region }")),))
LATER = datetime(2031, 1, 1, tzinfo=UTC)
DIRECT = direct_headers("mine", "low", TOPOLOGY)


NEAR: tuple[Callable[[Json], Json], ...] = (
    lambda body: body,
    lambda body: [body],
    lambda body: {"body": body},
    lambda body: dict(reversed(body.items())) if isinstance(body, dict) else body,
    str,
    lambda body: not body,
    lambda body: int(body) if isinstance(body, bool) else float(body) if body == 1 else None,
)
"""What may look as if it were the same: the same in another order, another type, one level deeper."""

bodies = st.one_of(
    st.tuples(json_values, json_values),
    st.tuples(json_values, st.sampled_from(NEAR)).map(lambda pair: (pair[0], pair[1](pair[0]))),
)


def _quick(key: str, identity: str, **more: Json) -> Event:
    return event("quick.go", {"id": key, "region": "north", **more}, identity)


class Conflicts:
    """A running bridge, and the number of conflicts that its metrics tell."""

    def __init__(self, env: BridgeEnvironment, scrape: Scrape) -> None:
        self.env, self._scrape, self.expected = env, scrape, 0

    @property
    def told(self) -> float:
        """As the alert sees it."""
        return self._scrape.values("saga.events.conflicts")[""]


@pytest.fixture
async def conflicts(env: BridgeEnvironment) -> AsyncIterator[Conflicts]:
    """A bridge that serves all examples of a property."""
    scrape = Scrape()
    async with env.bridge(metrics=scrape.metrics):
        yield Conflicts(env, scrape)
    scrape.provider.shutdown()


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(bodies)
async def test_id_with_another_body_is_parked_and_never_run(
    conflicts: Conflicts, bus: Bus, pair: tuple[Json, Json]
) -> None:
    """Whatever the bodies are: another one is a dead letter and a conflict of the metric, and starts no run."""
    env, key, seen = conflicts.env, conflicts.env.key(), len(conflicts.env.outcomes)
    first, second = (_quick(key, key, body=body) for body in pair)
    is_other = json.dumps(pair[0], sort_keys=True) != json.dumps(pair[1], sort_keys=True)
    await bus.publish(first)
    await env.outcomes.until(seen + 1)
    await bus.publish(second)
    await env.outcomes.until(seen + 2)
    assert [one.word for one in env.outcomes[seen:]] == ["dispatched", "conflict" if is_other else "duplicate"]
    conflicts.expected += is_other
    assert conflicts.told == conflicts.expected
    assert await env.finished(f"quick/{key}") == 1
    if is_other:
        await eventually(lambda: _is_parked(env, key, json.dumps(second.to_json()).encode()))


async def _is_parked(env: BridgeEnvironment, key: str, body: bytes) -> bool:
    letters = await env.database.fetch("select code, body from saga.dead_letters where event_id = $1", key)
    return [(letter["code"], letter["body"]) for letter in letters] == [("event-conflict", body)]


async def test_each_content_of_one_id_is_put_aside(env: BridgeEnvironment, bus: Bus) -> None:
    """Three messages with one id: the first is handled, and of the others each has a dead letter; none is lost."""
    key = env.key()
    async with env.bridge():
        for number, body in enumerate("ABCB"):
            await bus.publish(_quick(key, key, body=body))
            await env.outcomes.until(number + 1)
        letters = await env.letters(2)
    assert [outcome.word for outcome in env.outcomes] == ["dispatched", *["conflict"] * 3]
    assert sorted(b'"body": "B"' in letter.body for letter in letters) == [False, True]
    assert sorted(b'"body": "C"' in letter.body for letter in letters) == [False, True]


async def test_ordering_rule_that_came_between_makes_no_conflict(env: BridgeEnvironment, bus: Bus) -> None:
    """The key says how an event travels, not what it is: the second is a duplicate, also with a key of its own."""
    key = env.key()
    async with env.bridge():
        await bus.publish(_quick(key, key))
        await env.outcomes.until(1)
    async with env.bridge(topology=RULED):
        await bus.publish(_quick(key, key))
        await env.outcomes.until(2)
        await bus.publish(_quick(key, key), headers=DIRECT)
        await env.outcomes.until(3)
    assert [outcome.word for outcome in env.outcomes] == ["dispatched", "duplicate", "duplicate"]
    assert await env.letters(0) == []


@pytest.mark.parametrize("form", ["saga", "cloudevents", "cloudevents-binary"])
async def test_event_whose_message_differs_is_a_duplicate(env: BridgeEnvironment, bus: Bus, form: str) -> None:
    """A client library stamps each message anew: what stands outside the content makes no other event of it."""
    key = env.key()
    attributes = {"specversion": "1.0", "id": key, "source": "/till", "type": "quick.go"}
    bodies: dict[str, Any] = {
        "saga": {"event_id": key, "event_type": "quick.go", "data": {"id": key}},
        "cloudevents": {**attributes, "data": {"id": key}},
        "cloudevents-binary": {"id": key},
    }
    headers = {f"cloudEvents:{name}": value for name, value in attributes.items()}
    async with env.bridge():
        for number in range(3):
            await bus.publish_bytes(
                json.dumps(bodies[form]).encode(),
                "quick.go",
                timestamp=datetime(2030, 1, 1 + number, tzinfo=UTC),
                correlation_id=f"c-{number}",
                headers={**(headers if form == "cloudevents-binary" else {}), "x-group-id": f"g-{number}"},
            )
            await env.outcomes.until(number + 1)
    assert [outcome.word for outcome in env.outcomes] == ["dispatched", "duplicate", "duplicate"]


@pytest.mark.parametrize("when", [None, datetime(2030, 1, 1, tzinfo=UTC)])
async def test_cloud_event_without_a_time_is_handled_once(
    env: BridgeEnvironment, bus: Bus, when: datetime | None
) -> None:
    """Its time is when it first came; when the repetition came is no content."""
    key = env.key()
    document = {"specversion": "1.0", "id": key, "source": "/till", "type": "quick.go", "data": {"id": key}}
    async with env.bridge():
        for number in range(2):
            await bus.publish_bytes(json.dumps(document).encode(), "quick.go", timestamp=when)
            await env.outcomes.until(number + 1)
    assert [outcome.word for outcome in env.outcomes] == ["dispatched", "duplicate"]
    (row,) = await env.database.fetch("select occurred_at <= recorded_at as came_before from saga.events")
    assert row["came_before"] is (when is None)


@pytest.mark.parametrize("member", ["timestamp", "correlation_id"])
async def test_event_that_says_something_else_in_its_body_is_a_conflict(
    env: BridgeEnvironment, bus: Bus, member: str
) -> None:
    """What the producer said is content."""
    key = env.key()
    first = _quick(key, key)
    other = replace(first, metadata={"correlation_id": "c"}) if member != "timestamp" else replace(first, time=LATER)
    async with env.bridge():
        for number, each in enumerate((first, other)):
            await bus.publish(each)
            await env.outcomes.until(number + 1)
    assert [outcome.word for outcome in env.outcomes] == ["dispatched", "conflict"]


async def test_key_that_sorting_gave_is_not_shown_to_triggers(env: BridgeEnvironment, bus: Bus) -> None:
    """The event that a signal carries has the metadata that its producer gave it."""
    key = env.key()
    async with env.bridge(topology=replace(RULED, ordering=(GroupRule("#", template("${ event.data.id }")),))):
        await bus.publish(event("patient.begin", {"id": key}, f"{key}-begin"))
        await bus.publish(event("patient.note", {"id": key, "say": "end"}, f"{key}-end"))
        assert await env.notes(key) == ["end"]
    rows = await env.database.fetch("select envelope -> 'metadata' as metadata, group_key from saga.events")
    assert {row["group_key"] for row in rows} == {key}
    assert not any("group_id" in str(row["metadata"]) for row in rows)


@pytest.mark.parametrize(("again", "runs"), [(True, 4), (False, 2)])
async def test_replay_that_is_published_twice_does_nothing_more(
    env: BridgeEnvironment, bus: Bus, *, again: bool, runs: int
) -> None:
    """A replay that died is published again from its last page: two runs of one key are two more, or none."""
    key = env.key()
    mark = await env.replay_mark(again=again)
    async with env.bridge():
        for number, metadata in enumerate(({}, {}, mark, mark, mark, mark)):
            identity = f"{key}-{number % 2}"
            await bus.publish(event("quick.go", {"id": key}, identity, dict(metadata)))
            await env.outcomes.until(number + 1)
            await env.begun([f"quick/{key}"])
            await env.run(f"quick/{key}").result()
    assert await env.finished(f"quick/{key}") == runs
    assert [outcome.word for outcome in env.outcomes] == ["dispatched"] * 6


@pytest.mark.parametrize("claim", [{"id": str(uuid4()), "again": True}, {"id": "r-1"}, "r-1", None, 7])
async def test_replay_that_is_not_on_record_is_handled_as_any_other_event(
    env: BridgeEnvironment, bus: Bus, claim: Json
) -> None:
    """Whatever a producer writes there turns deduplication off for nobody, and is no content either."""
    key = env.key()
    told = event("quick.go", {"id": key}, key)
    async with env.bridge():
        for number, metadata in enumerate(({"replay": claim}, {"replay": claim}, {})):
            await bus.publish(replace(told, metadata=metadata))
            await env.outcomes.until(number + 1)
        await env.finished_once(f"quick/{key}")
    assert [outcome.word for outcome in env.outcomes] == ["dispatched", "duplicate", "duplicate"]


async def test_replay_on_record_may_not_do_more_than_it_was_begun_for(env: BridgeEnvironment, bus: Bus) -> None:
    """Somebody who has seen the id of a replay cannot make one of it that does everything again."""
    key, mark = env.key(), await env.replay_mark()
    forged: dict[str, Json] = {"replay": {**mark["replay"], "again": True}}  # type: ignore[dict-item]  # it is a map
    async with env.bridge():
        for number, metadata in enumerate(({}, forged, forged)):
            await bus.publish(event("quick.go", {"id": key}, key, dict(metadata)))
            await env.outcomes.until(number + 1)
        await env.finished_once(f"quick/{key}")
    assert env.outcomes.effects == ["started", "already-started", "already-started"]


async def test_what_was_done_before_a_failure_is_not_done_again(env: BridgeEnvironment, bus: Bus) -> None:
    """The first trigger was served, then something failed: the next try finds on record what was done."""
    key = env.key()
    injector = FaultInjector("after-start", lambda _: True, times=1)
    async with env.bridge(reached=injector.reached, check=injector.check):
        await bus.publish(event("quick.go", {"id": key}, key))
        await env.outcomes.until(1)
        rows = await env.database.fetch("select effects, outcome from saga.events where event_id = $1", key)
        await env.outcomes.until(2)
        await env.finished_once(f"quick/{key}")
    assert [outcome.word for outcome in env.outcomes] == ["delayed", "dispatched"]
    assert [next(iter(row["effects"].values()))["kind"] for row in rows] == ["started"]
    assert await env.finished(f"quick/{key}") == 1

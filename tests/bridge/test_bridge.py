"""The bridge through a real broker and a real Temporal: what events start, signal and cancel, and what they cannot."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowFailureError

from bridge.amqp.delivery import SORTED
from bridge.outcomes import Outcome, Refused, Unrouted
from bridge.topology.names import INLET, PRIORITY_HEADER
from contracts.envelope import Event
from tests.bridge.environment import BridgeEnvironment
from tests.bridge.library import event
from tests.support.bus import Bus
from tests.support.waiting import eventually


def _about(key: str, kind: str = "quick.go", say: str = "", identity: str | None = None) -> Event:
    return event(kind, {"id": key, "say": say}, identity or f"{kind}-{key}-{say}")


def _refused(outcome: Outcome) -> Refused:
    assert isinstance(outcome.result, Refused)
    return outcome.result


async def _ended(env: BridgeEnvironment, key: str) -> Any:
    """End the patient run with this key and return its notes."""
    return await env.run(f"patient/{key}").result()


async def test_bridge_starts_a_run_once_for_five_duplicates(env: BridgeEnvironment, bus: Bus) -> None:
    """A repeated event starts nothing, while the run goes on and after it closed."""
    key = env.key()
    async with env.bridge() as bridge:
        for _ in range(3):
            await bus.publish(_about(key))
        await env.outcomes.until(3)
        await env.run(f"quick/{key}").result()
        for _ in range(2):
            await bus.publish(_about(key))
        await env.outcomes.until(5)
        assert await env.finished(f"quick/{key}") == 1
        assert bridge.counts == {"dispatched": 1, "duplicate": 4}
    assert await env.letters(0) == []


async def test_two_bridges_start_each_of_many_runs_once(env: BridgeEnvironment, bus: Bus) -> None:
    """Competing bridges and 30 % duplicates: each run once, no event lost."""
    keys = [env.key() for _ in range(60)]
    events = [_about(key) for key in keys] + [_about(key) for key in keys[::3]]
    async with env.bridge(prefetch=5), env.bridge(prefetch=5):
        await asyncio.gather(*(bus.publish(one) for one in events))
        await env.outcomes.until(len(events))
    assert [await env.finished(f"quick/{key}") for key in keys] == [1] * len(keys)
    assert len(env.outcomes.run_ids) == len(keys)


async def test_bridge_passes_key_input_and_cause_to_the_run(env: BridgeEnvironment, bus: Bus) -> None:
    """The run has the event's data as input, and the pin of its version among its search attributes."""
    key = env.key()
    async with env.bridge():
        await bus.publish(_about(key, say="hello"), priority=9)
        await env.outcomes.until(1)
    assert await env.run(f"quick/{key}").result() == {"id": key, "say": "hello"}
    described = await env.run(f"quick/{key}").describe()
    assert described.search_attributes["SagaDefinition"] == ["quick"]
    assert described.raw_description.workflow_execution_info.priority.priority_key == 1


async def test_first_workflow_task_of_a_run_is_given_to_a_worker_at_once(env: BridgeEnvironment, bus: Bus) -> None:
    """Not kept by the server for a client that starts eagerly and has nobody to hand it to."""
    key = env.key()
    async with env.bridge():
        await bus.publish(_about(key))
        await env.finished_once(f"quick/{key}")
    history = await env.run(f"quick/{key}").fetch_history()
    kinds = [event.event_type for event in history.events]
    assert EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT not in kinds
    assert kinds.count(EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED) == 1


async def test_sorted_event_has_the_priority_of_its_class(env: BridgeEnvironment, bus: Bus, amqp_url: str) -> None:
    """In its partition it has the one that all of its class have, and its own in a header, by which its run starts.

    What the broker wrote when it died elsewhere is not carried on.
    """
    key = env.key()
    died = {f"x-{which}-death-{what}": "?" for which in ("first", "last") for what in ("exchange", "queue", "reason")}
    async with env.bridge():
        copies = await bus.channel.declare_queue(exclusive=True)
        await copies.bind(INLET, arguments={"x-match": "all-with-x", SORTED: "1"})
        await bus.publish(_about(key), priority=6, headers=died)
        await env.outcomes.until(1)
    copy = await copies.get()
    assert (copy.priority, copy.headers[PRIORITY_HEADER]) == (4, 6)
    assert not died.keys() & copy.headers.keys()
    described = await env.run(f"quick/{key}").describe()
    assert described.raw_description.workflow_execution_info.priority.priority_key == 2


async def test_bridge_dead_letters_what_is_no_event_and_goes_on(env: BridgeEnvironment, bus: Bus) -> None:
    """A malformed message ends with its bytes and the reason; the next event is served."""
    key = env.key()
    async with env.bridge():
        await bus.publish_bytes(b"{broken", "order.placed", headers={"x-own": "kept"}, message_id="m-1")
        await bus.publish(_about(key))
        await env.outcomes.until(2)
        assert await env.finished(f"quick/{key}") == 1
        letter = await env.letter()
    assert (letter.body, letter.event_id) == (b"{broken", "m-1")
    assert "not JSON" in letter.reason
    assert letter.code == "malformed-event"
    assert (letter.routing_key, letter.exchange) == ("order.placed", "events")
    assert (letter.attempts, letter.headers["x-own"]) == (1, "kept")
    assert letter.first_at <= letter.last_at


async def test_bridge_survives_messages_with_strange_properties(env: BridgeEnvironment, bus: Bus) -> None:
    """Milliseconds as timestamp, as the seed's own producer sends, and headers of every kind do no harm."""
    key = env.key()
    headers = {"list": [1, "a", {"b": None}], "big": "x" * 100_000, "x-delivery-count": "many"}
    async with env.bridge():
        await bus.publish_bytes(b"?", "a", timestamp=1_705_314_600_000 / 1000, headers=headers)
        await bus.publish_bytes(json.dumps(_about(key).to_json()).encode(), "quick.go", headers=headers)
        await env.outcomes.until(2)
        assert await env.finished(f"quick/{key}") == 1
        kept = (await env.letter()).headers
    assert ("big" in kept, kept["list"]) == (False, headers["list"])


async def test_bridge_acknowledges_and_counts_what_nobody_wants(env: BridgeEnvironment, bus: Bus) -> None:
    """An event without a trigger is recorded as unrouted, and is no dead letter."""
    async with env.bridge() as bridge:
        await bus.publish(event("nobody.cares"))
        await env.outcomes.until(1)
        assert bridge.counts == {"unrouted": 1}
    assert isinstance(env.outcomes[0].result, Unrouted)
    assert (await env.letters(0), await bus.waiting()) == ([], 0)


async def test_bridge_signals_a_run_in_the_order_of_events(env: BridgeEnvironment, bus: Bus) -> None:
    """Events published back to back arrive in their order, each with its envelope; a duplicate is not applied again."""
    key = env.key()
    notes = [_about(key, "patient.note", say) for say in ("one", "two", "three")]
    async with env.bridge():
        for one in (_about(key, "patient.begin"), *notes, notes[1], _about(key, "patient.note", "end")):
            await bus.publish(one)
        await env.outcomes.until(6)
    received = await _ended(env, key)
    assert [note[0] for note in received] == ["one", "two", "three", "end"]
    assert [(note[1], note[3]) for note in received] == [("note", "patient.note")] * 4
    assert len({note[2] for note in received}) == 4


async def test_bridge_takes_the_repetition_of_a_signal_after_the_run_closed(env: BridgeEnvironment, bus: Bus) -> None:
    """A duplicate of an event that was applied is no error, though its run is gone."""
    key = env.key()
    async with env.bridge():
        await bus.publish(_about(key, "patient.begin"))
        await bus.publish(_about(key, "patient.note", "end"))
        await env.outcomes.until(2)
        await _ended(env, key)
        await bus.publish(_about(key, "patient.note", "end"))
        await env.outcomes.until(3)
    assert env.outcomes[2].word == "duplicate"


async def test_bridge_dead_letters_a_signal_for_no_run(env: BridgeEnvironment, bus: Bus) -> None:
    """By default a signal that finds no run is put aside, with the run's name."""
    key = env.key()
    async with env.bridge():
        await bus.publish(_about(key, "patient.note", "hello"))
        await env.outcomes.until(1)
        letter = await env.letter()
    assert letter.code == "run-not-found"
    assert f"patient/{key}" in letter.reason


async def test_bridge_drops_a_signal_for_no_run_where_the_trigger_says_so(env: BridgeEnvironment, bus: Bus) -> None:
    """`if_missing: drop` is an outcome, not an error."""
    async with env.bridge():
        await bus.publish(_about(env.key(), "patient.hint", "hello"))
        await env.outcomes.until(1)
    assert (env.outcomes[0].word, env.outcomes.effects) == ("dispatched", ["dropped"])


async def test_bridge_starts_a_run_for_its_signal_where_the_trigger_says_so(env: BridgeEnvironment, bus: Bus) -> None:
    """`if_missing: start` starts once and signals once, whatever is repeated."""
    key = env.key()
    async with env.bridge():
        for say in ("one", "one", "two", "end", "end"):
            await bus.publish(_about(key, "patient.visit", say))
        await env.outcomes.until(5)
    assert [note[0] for note in await _ended(env, key)] == ["one", "two", "end"]
    assert await env.finished(f"patient/{key}") == 1


async def test_bridge_cancels_a_run(env: BridgeEnvironment, bus: Bus) -> None:
    """A cancel trigger requests the cancellation; for no run it does nothing."""
    key = env.key()
    async with env.bridge():
        await bus.publish(_about(key, "patient.begin"))
        await bus.publish(_about(key, "patient.end"))
        await bus.publish(_about(env.key(), "patient.end"))
        await env.outcomes.until(3)
    with pytest.raises(WorkflowFailureError):
        await _ended(env, key)
    assert sorted(env.outcomes.effects) == ["cancelled", "dropped", "started"]


async def test_bridge_ignores_another_event_while_the_run_goes_on(env: BridgeEnvironment, bus: Bus) -> None:
    """By default a second event with the key of a running run starts nothing and is no error."""
    key = env.key()
    async with env.bridge():
        for identity in ("first", "second"):
            await bus.publish(_about(key, "patient.begin", identity=f"{identity}-{key}"))
        await bus.publish(_about(key, "patient.note", "end"))
        await env.outcomes.until(3)
    assert env.outcomes.effects == ["started", "already-started", "signalled"]
    assert await env.finished(f"patient/{key}") == 1


async def test_bridge_with_if_running_fail_refuses_another_event_but_not_a_duplicate(
    env: BridgeEnvironment, bus: Bus
) -> None:
    """The same event again is no failure; another one while the run goes on is."""
    key = env.key()
    async with env.bridge():
        for identity in ("first", "first", "second"):
            await bus.publish(_about(key, "patient.only", identity=f"{identity}-{key}"))
        await env.outcomes.until(3)
        assert (await env.letter()).code == "run-exists"
    assert [outcome.word for outcome in env.outcomes] == ["dispatched", "duplicate", "dead-lettered"]


async def test_bridge_with_if_running_terminate_replaces_the_run_but_not_for_a_duplicate(
    env: BridgeEnvironment, bus: Bus
) -> None:
    """Another event starts over; the same event again leaves the run alone."""
    key = env.key()
    async with env.bridge():
        for identity in ("first", "first", "second", "second"):
            await bus.publish(_about(key, "patient.again", identity=f"{identity}-{key}"))
        await bus.publish(_about(key, "patient.note", "end"))
        await env.outcomes.until(5)
    await _ended(env, key)
    assert env.outcomes.effects.count("started") == 2


async def test_bridge_with_if_running_signal_hands_the_event_to_the_run(env: BridgeEnvironment, bus: Bus) -> None:
    """The first event starts the run, the next one reaches it as a signal named after its type."""
    key = env.key()
    async with env.bridge():
        for say in ("one", "one", "end"):
            await bus.publish(_about(key, "patient.join", say))
        await env.outcomes.until(3)
    assert [note[:2] for note in await _ended(env, key)] == [["end", "patient.join"]]


async def test_bridge_dead_letters_an_event_that_a_trigger_cannot_be_evaluated_for(
    env: BridgeEnvironment, bus: Bus
) -> None:
    """The reason names file and trigger; the other trigger of the event was served."""
    key = env.key()
    async with env.bridge():
        await bus.publish(_about(key, "bad.trigger"))
        await env.outcomes.until(1)
        letter = await env.letter()
    assert env.outcomes.effects == ["started"]
    assert letter.code == "trigger-failed"
    assert "definitions/quick.yaml, trigger 2 (on bad.trigger)" in letter.reason


async def test_bridge_finishes_what_it_has_in_hand_when_it_stops(env: BridgeEnvironment, bus: Bus) -> None:
    """A stop does not tear a delivery: it is answered, and what was not taken stays in the queue."""
    keys = [env.key() for _ in range(20)]
    taken = asyncio.Event()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(env.bridge(prefetch=4, reached=lambda _: taken.set()))
        await asyncio.gather(*(bus.publish(_about(key)) for key in keys))
        await taken.wait()

    async def all_there() -> bool:
        return len(env.outcomes) + await bus.waiting() == len(keys)

    await eventually(all_there)
    async with env.bridge():
        await env.outcomes.until(len(keys))
    assert [await env.finished(f"quick/{key}") for key in keys] == [1] * len(keys)
    assert "already-started" not in env.outcomes.effects

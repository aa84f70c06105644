"""The bus, from outside: events in their forms, order, priority, early messages, and a broker that is away."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aio_pika import Message
from pamqp.common import FieldTable
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowExecutionStatus

from cli.stack.events import Service
from contracts.envelope import Event
from contracts.names import EXCHANGE_EVENTS
from tests.acceptance.post import ERRANDS, Post, key, tapped
from tests.acceptance.processes import Place, running, running_both
from tests.bridge.bus import open_bus
from tests.bridge.library import event
from tests.bridge.waiting import eventually
from tests.services.rabbitmq import own_folder, own_node

ROUND = 10
TYPE = "errand.ordered"
TIME = "2030-01-31T08:00:00Z"


def about(kind: str, subject: str, **data: Any) -> Event:
    """Return an event about a run with this key."""
    return event(kind, {"id": subject, **data}, f"{kind}-{uuid.uuid4().hex[:8]}-{subject}")


def structured(subject: str) -> Message:
    """Return a CloudEvent in structured mode."""
    body = {**attributes(subject), "data": {"id": subject}}
    return Message(json.dumps(body).encode(), content_type="application/cloudevents+json")


def binary(subject: str) -> Message:
    """Return the same in binary mode."""
    headers: FieldTable = {f"cloudEvents:{name}": value for name, value in attributes(subject).items()}
    return Message(json.dumps({"id": subject}).encode(), headers=headers, content_type="application/json")


def attributes(subject: str) -> dict[str, str]:
    """Return what a CloudEvent says beside its data."""
    about_it = {"specversion": "1.0", "id": f"ce-{subject}", "source": "/till/4", "type": TYPE, "time": TIME}
    return {**about_it, "partitionkey": subject, "correlationid": "c-1"}


@pytest.mark.parametrize("written", [structured, binary])
async def test_cloudevent_starts_a_run_that_emits_one(post: Post, written: Callable[[str], Message]) -> None:
    """The run is given the event as triggers see it, and its own event is a structured CloudEvent, as is set."""
    errand = key()
    tap = await post.tap("errand.done")
    exchange = await post.bus.channel.get_exchange(EXCHANGE_EVENTS, ensure=False)
    await exchange.publish(written(errand), TYPE)
    given = (await post.result(f"errand/{errand}"))["event"]
    assert given | {"metadata": {}} == {
        **{"id": f"ce-{errand}", "type": TYPE, "version": "1.0", "time": TIME, "source": "/till/4"},
        **{"data": {"id": errand}, "metadata": {}},
    }
    assert {"group_id": errand, "correlation_id": "c-1"}.items() <= given["metadata"].items()
    message, document = await post.heard(tap, errand)
    assert (message.content_type, message.priority) == ("application/cloudevents+json", 5)
    assert document.items() >= {"specversion": "1.0", "type": "errand.done", "partitionkey": errand}.items()
    assert document["data"] == {"id": errand}


async def test_event_of_priority_nine_is_first_in_temporal_too(post: Post) -> None:
    """The run has Temporal's priority 1, and so have its steps; one without a priority has none."""
    urgent, plain = key(), key()
    await post.bus.publish(about(TYPE, plain))
    await post.bus.publish(about(TYPE, urgent), priority=9)
    found = []
    for errand in (urgent, plain):
        await post.result(f"errand/{errand}")
        begun = (await history(post, f"errand/{errand}"))[0].workflow_execution_started_event_attributes
        found.append(begun.priority.priority_key)
    assert found == [1, 0]


async def history(post: Post, workflow_id: str) -> list[HistoryEvent]:
    """Return the events of a run's history."""
    return list((await post.run(workflow_id).fetch_history()).events)


async def test_signal_that_comes_before_its_run_waits_for_it(post: Post) -> None:
    """No event starts the run, but a person with `saga run`: the held signal reaches it, and is there for its step."""
    parcel = key()
    note = about("parcel.note", parcel, say="early")
    await post.bus.publish(note)
    await post.becomes(note.id, "held")
    started = await post.place.saga("run", "parcel", "--input", json.dumps({"id": parcel}), "--detach", "--json")
    assert started.json["workflow_id"] == f"parcel/{parcel}"
    await post.becomes(note.id, "dispatched")
    await post.bus.publish(about("parcel.opened", parcel))
    assert await post.result(f"parcel/{parcel}") == "early"


async def test_signal_that_comes_before_its_step_is_kept(post: Post) -> None:
    """The note is there before the run asks for it."""
    parcel = key()
    note = about("parcel.note", parcel, say="kept")
    await post.bus.publish(about("parcel.sent", parcel))
    await post.bus.publish(note)
    await post.becomes(note.id, "dispatched")
    await post.bus.publish(about("parcel.opened", parcel))
    assert await post.result(f"parcel/{parcel}") == "kept"


async def test_event_without_a_key_finds_the_run_that_waits_for_it(post: Post) -> None:
    """By the number that the step waits for; a run that waits for another number gets nothing."""
    bill, other = key(), key()
    for each in (bill, other):
        await post.bus.publish(about("bill.issued", each, number=f"no. {each}"))
    paid = event("bill.paid", {"number": f"no. {bill}", "amount": 30}, f"paid-{bill}")
    await post.bus.publish(paid)
    assert await post.result(f"bill/{bill}") == 30
    effects = (await post.becomes(paid.id, "dispatched")).effects.values()
    assert [effect["workflow_id"] for effect in effects if isinstance(effect, dict)] == [f"bill/{bill}"]
    await post.run(f"bill/{other}").terminate()


async def test_events_of_a_run_keep_their_order_with_two_bridges(post: Post) -> None:
    """Start, three signals, cancellation, back to back, in all classes, until another bridge has its share."""
    without_door = {name: value for name, value in post.place.extra.items() if name != "SAGA_HTTP_PORT"}
    parcels: list[str] = []
    async with running(replace(post.place, extra=without_door), "bridge", "bridge-2") as second, asyncio.timeout(60):
        while b"event_dispatched" not in second.log.read_bytes():
            round_ = [key() for _ in range(ROUND)]
            parcels += round_
            await asyncio.gather(*(_story(post, parcel, number % 10) for number, parcel in enumerate(round_)))
            await asyncio.gather(*(eventually(partial(_is_cancelled, post, parcel)) for parcel in round_))
    assert parcels
    for parcel in parcels:
        assert await _told(post, parcel) == ["start", 1, 2, 3, "cancel"]
        assert await post.executions(f"parcel/{parcel}") == 1


async def _story(post: Post, parcel: str, priority: int) -> None:
    """Publish one after the other, each when the broker has confirmed the one before."""
    notes = [about("parcel.note", parcel, say=number) for number in (1, 2, 3)]
    for each in (about("parcel.sent", parcel), *notes, about("parcel.recalled", parcel)):
        await post.bus.publish(each, priority=priority)


async def _is_cancelled(post: Post, parcel: str) -> bool:
    if not await post.executions(f"parcel/{parcel}"):
        return False
    return (await post.run(f"parcel/{parcel}").describe()).status == WorkflowExecutionStatus.CANCELED


async def _told(post: Post, parcel: str) -> list[Any]:
    """Return what the run was told, in the order of its history."""
    told: list[Any] = []
    for each in await history(post, f"parcel/{parcel}"):
        if each.HasField("workflow_execution_started_event_attributes"):
            told.append("start")
        elif each.HasField("workflow_execution_cancel_requested_event_attributes"):
            told.append("cancel")
        elif each.HasField("workflow_execution_signaled_event_attributes"):
            data = each.workflow_execution_signaled_event_attributes.input.payloads[0].data
            told.append(json.loads(data)["say"])
    return told


async def test_event_of_a_run_arrives_after_the_broker_was_away(
    temporal_service: Service, postgres_url: str, tmp_path: Path
) -> None:
    """The run ends without the broker; when it is back the event is on the bus, once, in binary mode as is set."""
    errand, form = key(), {"SAGA_EVENT_FORM": "cloudevents-binary"}
    with own_folder() as folder:
        async with own_node(folder) as node:
            queue, url = f"away-{errand}", node.service.url
            place = Place(tmp_path, temporal_service.url, postgres_url, url, queue, ERRANDS, extra=form)
            async with running_both(place):
                async with open_bus(url) as bus:
                    tap = await tapped(bus, "errand.done")
                await node.control("stop_app")
                ended = await place.saga("run", "errand", "--input", json.dumps({"id": errand}), "--json")
                assert ended.code == 0, ended
                await node.control("start_app")
                async with open_bus(url) as bus:
                    message = await bus.take(tap)
                    assert await bus.depth(tap) == 0
    assert json.loads(message.body) == {"id": errand}
    assert message.headers["cloudEvents:type"] == "errand.done"
    assert message.headers["cloudEvents:partitionkey"] == errand

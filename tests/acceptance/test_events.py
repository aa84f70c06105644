"""Events over the bus: events in their forms, order, priority, early messages, and a broker that is away."""

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

from bridge.topology.names import PRIORITY_HEADER
from cli.stack.events import Service
from contracts.envelope import Event
from contracts.names import EXCHANGE_EVENTS
from tests.acceptance.event_deployment import DEFINITIONS, EventDeployment, bind_queue, key
from tests.acceptance.processes import ProcessSettings, running, running_both
from tests.bridge.library import event
from tests.support.bus import open_bus
from tests.support.services.rabbitmq import own_folder, own_node
from tests.support.waiting import PATIENCE_SECONDS, eventually

ROUND = 10
TYPE = "ticket.ordered"
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
    """Return the attributes of a CloudEvent beside its data."""
    about_it = {"specversion": "1.0", "id": f"ce-{subject}", "source": "/till/4", "type": TYPE, "time": TIME}
    return {**about_it, "partitionkey": subject, "correlationid": "c-1"}


@pytest.mark.parametrize("written", [structured, binary])
async def test_cloudevent_starts_a_run_that_emits_one(
    event_deployment: EventDeployment, written: Callable[[str], Message]
) -> None:
    """The run is given the event as triggers see it, and its own event is a structured CloudEvent, as is set."""
    ticket = key()
    queue = await event_deployment.bind_queue("ticket.done")
    exchange = await event_deployment.bus.channel.get_exchange(EXCHANGE_EVENTS, ensure=False)
    await exchange.publish(written(ticket), TYPE)
    given = (await event_deployment.result(f"ticket/{ticket}"))["event"]
    assert given | {"metadata": {}} == {
        **{"id": f"ce-{ticket}", "type": TYPE, "version": "1.0", "time": TIME, "source": "/till/4"},
        **{"data": {"id": ticket}, "metadata": {}},
    }
    assert {"group_id": ticket, "correlation_id": "c-1"}.items() <= given["metadata"].items()
    message, document = await event_deployment.receive_about(queue, ticket)
    assert message.content_type == "application/cloudevents+json"
    assert (message.priority, message.headers[PRIORITY_HEADER]) == (4, 5)
    assert document.items() >= {"specversion": "1.0", "type": "ticket.done", "partitionkey": ticket}.items()
    assert document["data"] == {"id": ticket}


async def test_event_of_priority_nine_is_first_in_temporal_too(event_deployment: EventDeployment) -> None:
    """The run has Temporal's priority 1, and so have its steps; one without a priority has none."""
    urgent, plain = key(), key()
    await event_deployment.bus.publish(about(TYPE, plain))
    await event_deployment.bus.publish(about(TYPE, urgent), priority=9)
    found = []
    for ticket in (urgent, plain):
        await event_deployment.result(f"ticket/{ticket}")
        begun = (await history(event_deployment, f"ticket/{ticket}"))[0].workflow_execution_started_event_attributes
        found.append(begun.priority.priority_key)
    assert found == [1, 0]


async def history(deployment: EventDeployment, workflow_id: str) -> list[HistoryEvent]:
    """Return the events of a run's history."""
    return list((await deployment.run(workflow_id).fetch_history()).events)


async def test_signal_that_comes_before_its_run_waits_for_it(event_deployment: EventDeployment) -> None:
    """No event starts the run, but a person with `saga run`: the held signal reaches it, and is there for its step."""
    parcel = key()
    note = about("parcel.note", parcel, say="early")
    await event_deployment.bus.publish(note)
    await event_deployment.wait_for_outcome(note.id, "held")
    started = await event_deployment.settings.saga(
        "run", "parcel", "--input", json.dumps({"id": parcel}), "--detach", "--json"
    )
    assert started.json["workflow_id"] == f"parcel/{parcel}"
    await event_deployment.wait_for_outcome(note.id, "dispatched")
    await event_deployment.bus.publish(about("parcel.opened", parcel))
    assert await event_deployment.result(f"parcel/{parcel}") == "early"


async def test_signal_that_comes_before_its_step_is_kept(event_deployment: EventDeployment) -> None:
    """The note is there before the run asks for it."""
    parcel = key()
    note = about("parcel.note", parcel, say="kept")
    await event_deployment.bus.publish(about("parcel.sent", parcel))
    await event_deployment.bus.publish(note)
    await event_deployment.wait_for_outcome(note.id, "dispatched")
    await event_deployment.bus.publish(about("parcel.opened", parcel))
    assert await event_deployment.result(f"parcel/{parcel}") == "kept"


async def test_event_without_a_key_finds_the_run_that_waits_for_it(event_deployment: EventDeployment) -> None:
    """By the number that the step waits for; a run that waits for another number gets nothing."""
    bill, other = key(), key()
    for each in (bill, other):
        await event_deployment.bus.publish(about("bill.issued", each, number=f"no. {each}"))
    paid = event("bill.paid", {"number": f"no. {bill}", "amount": 30}, f"paid-{bill}")
    await event_deployment.bus.publish(paid)
    assert await event_deployment.result(f"bill/{bill}") == 30
    effects = (await event_deployment.wait_for_outcome(paid.id, "dispatched")).effects.values()
    assert [effect["workflow_id"] for effect in effects if isinstance(effect, dict)] == [f"bill/{bill}"]
    await event_deployment.run(f"bill/{other}").terminate()


async def test_events_of_a_run_keep_their_order_with_two_bridges(event_deployment: EventDeployment) -> None:
    """Start, three signals, cancellation, back to back, in all classes, until another bridge has its share."""
    without_door = {name: value for name, value in event_deployment.settings.extra.items() if name != "SAGA_HTTP_PORT"}
    parcels: list[str] = []
    async with (
        running(replace(event_deployment.settings, extra=without_door), "bridge", "bridge-2") as second,
        asyncio.timeout(PATIENCE_SECONDS),
    ):
        while b"event_dispatched" not in second.log.read_bytes():
            round_ = [key() for _ in range(ROUND)]
            parcels += round_
            await asyncio.gather(
                *(_publish_sequence(event_deployment, parcel, number % 10) for number, parcel in enumerate(round_))
            )
            await asyncio.gather(*(eventually(partial(_is_cancelled, event_deployment, parcel)) for parcel in round_))
    assert parcels
    for parcel in parcels:
        assert await _deliveries(event_deployment, parcel) == ["start", 1, 2, 3, "cancel"]
        assert await event_deployment.executions(f"parcel/{parcel}") == 1


async def _publish_sequence(deployment: EventDeployment, parcel: str, priority: int) -> None:
    """Publish one after the other, each when the broker has confirmed the one before."""
    notes = [about("parcel.note", parcel, say=number) for number in (1, 2, 3)]
    for each in (about("parcel.sent", parcel), *notes, about("parcel.recalled", parcel)):
        await deployment.bus.publish(each, priority=priority)


async def _is_cancelled(deployment: EventDeployment, parcel: str) -> bool:
    if not await deployment.executions(f"parcel/{parcel}"):
        return False
    return (await deployment.run(f"parcel/{parcel}").describe()).status == WorkflowExecutionStatus.CANCELED


async def _deliveries(deployment: EventDeployment, parcel: str) -> list[Any]:
    """Return the start, signals and cancellation of a run, in the order of its history."""
    found: list[Any] = []
    for each in await history(deployment, f"parcel/{parcel}"):
        if each.HasField("workflow_execution_started_event_attributes"):
            found.append("start")
        elif each.HasField("workflow_execution_cancel_requested_event_attributes"):
            found.append("cancel")
        elif each.HasField("workflow_execution_signaled_event_attributes"):
            data = each.workflow_execution_signaled_event_attributes.input.payloads[0].data
            found.append(json.loads(data)["say"])
    return found


async def test_event_of_a_run_arrives_after_the_broker_was_away(
    temporal_service: Service, postgres_url: str, tmp_path: Path
) -> None:
    """The run ends without the broker; when it is back the event is on the bus, once, in binary mode as is set."""
    ticket, form = key(), {"SAGA_EVENT_FORM": "cloudevents-binary"}
    with own_folder() as folder:
        async with own_node(folder) as node:
            queue, url = f"away-{ticket}", node.service.url
            settings = ProcessSettings(
                tmp_path, temporal_service.url, postgres_url, url, queue, DEFINITIONS, extra=form
            )
            async with running_both(settings):
                async with open_bus(url) as bus:
                    queue = await bind_queue(bus, "ticket.done")
                await node.control("stop_app")
                ended = await settings.saga("run", "ticket", "--input", json.dumps({"id": ticket}), "--json")
                assert ended.code == 0, ended
                await node.control("start_app")
                async with open_bus(url) as bus:
                    message = await bus.take(queue)
                    assert await bus.depth(queue) == 0
    assert json.loads(message.body) == {"id": ticket}
    assert message.headers["cloudEvents:type"] == "ticket.done"
    assert message.headers["cloudEvents:partitionkey"] == ticket

"""One trace, from the message that starts a run to the message that the run publishes."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from temporalio.client import Client

from activities.outbound import open_client
from activities.registry import catalog
from activities.resources import Resources
from bridge.amqp.publisher import open_publisher
from bridge.bridge import running_bridge
from bridge.envelope import Properties, decode
from bridge.settings import BridgeSettings
from bridge.surroundings import Surroundings
from bridge.tracing import consuming
from contracts.envelope import Event
from contracts.names import EXCHANGE_EVENTS
from store.database import open_database
from tests.bridge.library import event
from tests.support.bus import Bus
from tests.support.services.tracing import Spans, parent_id, remembering_spans, trace_id
from workers.worker import make_worker
from workflows.language.compiler import compile_sources
from workflows.language.library import Library
from workflows.language.triggers import Definition
from workflows.temporal.starting import StartRequest, signal_run, start_run

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
DEFINITION = """
id: traced
version: 1.0.0
triggers:
  - {event: traced.begin, start: {key: "${ event.data.id }"}}
  - {event: traced.go, signal: {key: "${ event.data.id }", name: go}}
steps:
  - id: shape
    action: data.transform
    with: {value: {done: true}}
  - id: wait
    type: receive
    signal: go
  - id: tell
    type: emit
    event: traced.done
    data: {ok: true}
"""


@pytest.fixture
def spans() -> Iterator[Spans]:
    """What was traced."""
    with remembering_spans() as taken:
        yield taken


def _library() -> Library:
    compilation = compile_sources({"definitions/traced.yaml": DEFINITION}, catalog())
    assert compilation.library is not None, compilation.diagnostics
    return compilation.library


def _definition(library: Library) -> Definition:
    definition = library.resolve("traced")
    assert definition is not None
    return definition


async def _bind_queue(bus: Bus, *types: str) -> str:
    """Make a queue that gets events of these types, and return its name."""
    exchange = await bus.channel.declare_exchange(EXCHANGE_EVENTS, "topic", durable=True)
    queue = await bus.channel.declare_queue(f"test-{uuid.uuid4().hex[:8]}", durable=True)
    for each in types:
        await queue.bind(exchange, each)
    return queue.name


def _sent(kind: str, key: str, parent: str) -> Event:
    """An event of a producer that traces."""
    return event(kind, {"id": key}, f"{kind}-{key}", {"traceparent": f"00-{TRACE}-{parent}-01"})


async def _consumed(bus: Bus, queue: str) -> Event:
    return decode((await bus.take(queue)).body, Properties())


async def test_one_trace_from_the_message_to_the_messages_that_follow(
    client: Client, amqp_url: str, bus: Bus, spans: Spans
) -> None:
    """Broker, bridge's span, run, actions, broker: one trace id, and each span is a child of the one before."""
    inbox, outbox = await _bind_queue(bus, "traced.begin"), await _bind_queue(bus, "traced.done")
    library, queue, key = _library(), uuid.uuid4().hex, uuid.uuid4().hex
    traced = Client(**(client.config() | {"plugins": [spans.plugin]}))
    async with (
        open_client() as http,
        open_publisher(amqp_url) as publisher,
        make_worker(traced, lambda: library, Resources(http, None, publisher), queue),
    ):
        await bus.publish(_sent("traced.begin", key, PARENT))
        begin = await _consumed(bus, inbox)
        with consuming(begin):
            request = StartRequest(_definition(library), begin.data, key=key)
            run = (await start_run(traced, queue, request)).workflow_id
        with consuming(_sent("traced.go", key, PARENT)):
            await signal_run(traced, run, "go", None)
        await client.get_workflow_handle(run).result()
        done = await bus.take(outbox)
    found = spans.finished()
    chain = [found[name] for name in ("consume traced.begin", "RunWorkflow:traced", "RunActivity:event.publish")]
    assert {trace_id(span) for span in (*chain, found["consume traced.go"], found["HandleSignal:go"])} == {TRACE}
    assert parent_id(chain[0]) == PARENT
    assert parent_id(chain[1]) == _span_id(chain[0])
    assert _traceparent(json.loads(done.body)) == (TRACE, _span_id(chain[2]))


async def test_bridge_carries_the_trace_in_the_headers_of_messages(
    client: Client, amqp_url: str, postgres_url: str, bus: Bus, spans: Spans
) -> None:
    """A foreign producer's AMQP header comes in, and what the run publishes has one: the trace is still the same."""
    library, queue, key = _library(), uuid.uuid4().hex, uuid.uuid4().hex
    traced = Client(**(client.config() | {"plugins": [spans.plugin]}))
    async with (
        open_client() as http,
        open_publisher(amqp_url) as publisher,
        open_database(postgres_url) as database,
        make_worker(traced, lambda: library, Resources(http, None, publisher), queue),
        running_bridge(Surroundings(amqp_url, traced, database, lambda: library), BridgeSettings(task_queue=queue)),
    ):
        outbox = await _bind_queue(bus, "traced.done")
        for kind in ("traced.begin", "traced.go"):
            given = event(kind, {"id": key}, f"{kind}-{key}", {"group_id": key})
            headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
            await bus.publish_bytes(json.dumps(given.to_json()).encode(), kind, headers=headers)
        done = await bus.take(outbox)
        await client.get_workflow_handle(f"traced/{key}").result()
    found = spans.finished()
    names = ("consume traced.begin", "consume traced.go", "RunWorkflow:traced", "RunActivity:event.publish")
    assert {trace_id(found[name]) for name in names} == {TRACE}
    assert {parent_id(found[name]) for name in names[:2]} == {PARENT}
    assert str(done.headers["traceparent"]).split("-")[1:3] == [TRACE, _span_id(found[names[3]])]


async def test_runs_that_nobody_traces_publish_no_trace(client: Client, amqp_url: str, bus: Bus) -> None:
    """Without tracing in the worker and the bridge, a message has no trace context and a start no header."""
    outbox = await _bind_queue(bus, "traced.done")
    library, queue = _library(), uuid.uuid4().hex
    async with (
        open_client() as http,
        open_publisher(amqp_url) as publisher,
        make_worker(client, lambda: library, Resources(http, None, publisher), queue),
    ):
        run = (await start_run(client, queue, StartRequest(_definition(library), {}))).workflow_id
        await signal_run(client, run, "go", None)
        await client.get_workflow_handle(run).result()
        done = await bus.take(outbox)
    history = await client.get_workflow_handle(run).fetch_history()
    assert not history.events[0].workflow_execution_started_event_attributes.header.fields
    assert "traceparent" not in json.loads(done.body)["metadata"]


def _span_id(span: Any) -> str:
    return f"{span.context.span_id:016x}"


def _traceparent(envelope: Any) -> tuple[str, str]:
    _, trace, span, _ = envelope["metadata"]["traceparent"].split("-")
    return trace, span

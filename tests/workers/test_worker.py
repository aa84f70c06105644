"""The worker with the product's own actions, on the real server."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from dataclasses import replace
from datetime import timedelta
from io import StringIO

import pytest
import structlog
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from temporalio.client import Client

from activities.addresses import parse_networks
from activities.outbound import open_client
from activities.resources import Resources
from contracts.json import Json
from tests.workflows.temporal.plans import LOCAL, REMOTE, act, chain, definition, library, plan, receive
from workers.telemetry import LogFormat, configure_logging
from workers.tracing import Tracing, tracing_plugin
from workers.worker import WorkerLimits, make_worker
from workflows.language.plan import Retry
from workflows.temporal.course import Move
from workflows.temporal.starting import StartRequest, signal_run, start_run

SHAPE: Json = {"value": "${ input }", "merge": {"done": True}}
PLAN = plan(
    "shape",
    *chain(
        act("a", action="data.transform", args=SHAPE, execution=LOCAL),
        receive("b", "go"),
        act("c", action="data.transform", args=SHAPE, execution=REMOTE),
    ),
    signals=("go",),
)


async def test_worker_runs_a_definition_with_the_product_s_actions(client: Client) -> None:
    """A run started on the worker's own client is carried out by the registered actions."""
    queue = uuid.uuid4().hex
    async with open_client() as http, make_worker(client, lambda: library(PLAN), Resources(http), queue):
        started = await start_run(client, queue, StartRequest(definition(PLAN), {"n": 1}))
        await signal_run(client, started.workflow_id, "go", None)
        assert await client.get_workflow_handle(started.workflow_id).result() == {"n": 1, "done": True}


async def test_runs_go_on_with_another_worker(client: Client) -> None:
    """A worker stops gracefully, and the next one carries on with its runs."""
    queue = uuid.uuid4().hex
    limits = WorkerLimits(cached_runs=10, shutdown=timedelta(seconds=1))
    async with open_client() as http:
        async with make_worker(client, lambda: library(PLAN), Resources(http), queue, limits=limits):
            started = await start_run(client, queue, StartRequest(definition(PLAN), {}))
            handle = client.get_workflow_handle(started.workflow_id)
            await handle.query("state")
        await signal_run(client, started.workflow_id, "go", None)
        async with make_worker(client, lambda: library(PLAN), Resources(http), queue, limits=limits):
            assert await handle.result() == {"done": True}


async def test_traces_name_the_run_and_its_steps(client: Client) -> None:
    """With tracing, a run and its activities are spans of one trace."""
    spans = InMemorySpanExporter()
    config = client.config()
    config["plugins"] = [tracing_plugin(Tracing(SimpleSpanProcessor(spans), service="test"))]
    traced = Client(**config)
    queue = uuid.uuid4().hex
    async with open_client() as http, make_worker(traced, lambda: library(PLAN), Resources(http), queue):
        handle = await traced.start_workflow("shape", {}, id=f"shape/{queue}", task_queue=queue)
        await handle.signal("go")
        await handle.result()
    finished = spans.get_finished_spans()
    names = [span.name for span in finished]
    assert "RunActivity:data.transform" in names
    assert "RunWorkflow:shape" in names
    assert {span.resource.attributes["service.name"] for span in finished} == {"test"}


def divided(password: str) -> float:
    """Fail with a value at hand."""
    return len(password) / 0


@pytest.fixture
def _plain_logging() -> object:
    """Leave the logging of the test process as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.mark.usefixtures("_plain_logging")
def test_logs_are_json_lines_with_bound_fields() -> None:
    """Our lines and the libraries' have the same form and the fields that were bound once."""
    written = StringIO()
    configure_logging("json", stream=written, role="worker")
    structlog.get_logger("ours").info("run_started", definition="shape")
    logging.getLogger("theirs").warning("odd %s", "thing")
    ours, theirs = (json.loads(line) for line in written.getvalue().splitlines())
    assert (ours["event"], ours["definition"], ours["role"], ours["level"]) == (
        "run_started",
        "shape",
        "worker",
        "info",
    )
    assert (theirs["event"], theirs["logger"], theirs["role"]) == ("odd thing", "theirs", "worker")


@pytest.mark.usefixtures("_plain_logging")
def test_logs_for_people_are_plain_text() -> None:
    """Text has no colour codes where nobody looks at a terminal, and keeps low levels out."""
    written = StringIO()
    configure_logging("text", stream=written)
    structlog.get_logger().debug("hidden")
    structlog.get_logger().info("shown", step="a")
    assert "hidden" not in written.getvalue()
    assert "\x1b" not in written.getvalue()
    assert "step=a" in written.getvalue()


@pytest.mark.usefixtures("_plain_logging")
@pytest.mark.parametrize("style", ["json", "text"])
def test_logs_have_tracebacks_without_values(style: LogFormat) -> None:
    """Where it broke is told, and never with what."""
    written = StringIO()
    configure_logging(style, stream=written)
    try:
        divided("gehe" + "im")
    except ZeroDivisionError:
        structlog.get_logger().exception("broke")
    assert "ZeroDivisionError" in written.getvalue()
    assert "geheim" not in written.getvalue()


@pytest.mark.usefixtures("_plain_logging")
@pytest.mark.parametrize("name", ["aiormq.connection", "aio_pika.robust_connection"])
def test_logs_leave_out_what_the_broker_s_libraries_say(name: str) -> None:
    """The bridge tells of a lost connection itself, in one line."""
    written = StringIO()
    configure_logging("json", stream=written)
    logging.getLogger(name).error("lost", exc_info=ValueError("x"))
    assert not written.getvalue()


@pytest.mark.usefixtures("_plain_logging")
async def test_log_lines_of_an_action_name_its_run(client: Client) -> None:
    """What is logged inside a step carries the run's and the step's ids; a failure that was foreseen is no warning."""
    written = StringIO()
    configure_logging("json", logging.DEBUG, written)
    queue = uuid.uuid4().hex
    twice = replace(REMOTE, retry=Retry(attempts=2, backoff=0.01))
    wrong = plan("wrong", act("a", action="http.request", args={"url": "http://127.0.0.1:1/"}, execution=twice))
    reachable = parse_networks("127.0.0.0/8")
    async with open_client(reachable) as http, make_worker(client, lambda: library(wrong), Resources(http), queue):
        started = await start_run(client, queue, StartRequest(definition(wrong), {}))
        outcome = await asyncio.gather(client.get_workflow_handle(started.workflow_id).result(), return_exceptions=True)
    assert isinstance(outcome[0], Exception)
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    failed = [line for line in lines if line["event"] == "Completing activity as failed"]
    assert [line["attempt"] for line in failed] == [1, 2]
    assert {(line["workflow_id"], line["step"], line["level"]) for line in failed} == {
        (started.workflow_id, "a", "debug")
    }


@pytest.mark.usefixtures("_plain_logging")
async def test_log_lines_about_a_run_name_it(client: Client) -> None:
    """What is logged in a workflow's thread carries the run's ids."""
    written = StringIO()
    configure_logging("json", stream=written)
    queue = uuid.uuid4().hex

    def sink(move: Move) -> None:
        structlog.get_logger().info("state_changed", sequence=move.state.sequence)

    async with open_client() as http, make_worker(client, lambda: library(PLAN), Resources(http), queue, sink=sink):
        started = await start_run(client, queue, StartRequest(definition(PLAN), {}))
        await signal_run(client, started.workflow_id, "go", None)
        await client.get_workflow_handle(started.workflow_id).result()
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    seen = [line for line in lines if line["event"] == "state_changed"]
    assert {(line["workflow_id"], line["run_id"]) for line in seen} == {(started.workflow_id, started.run_id)}

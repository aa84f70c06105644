"""Traces: which variables ask for them, and what a collector gets."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from cli.exits import Exit
from cli.exporters import chosen_exporter
from cli.settings import BadSettingsError
from tests.support.command_line import Shell, until_line
from tests.support.processes import ROOT

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@dataclass
class Collector:
    """Takes what is sent to `/v1/traces`."""

    url: str = ""
    requests: list[ExportTraceServiceRequest] = field(default_factory=list)

    @property
    def spans(self) -> list[Span]:
        """All spans so far."""
        resources = [spans for request in self.requests for spans in request.resource_spans]
        return [span for each in resources for scope in each.scope_spans for span in scope.spans]

    @property
    def services(self) -> set[str]:
        """The names of the services that sent them."""
        resources = [spans.resource for request in self.requests for spans in request.resource_spans]
        return {each.value.string_value for one in resources for each in one.attributes if each.key == "service.name"}


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector inside the block."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/traces":
                collector.requests.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def run_with_worker(shell: Shell) -> bytes:
    """Run the definition once with `saga worker` and return what the worker wrote to stderr until it had stopped."""
    async with shell.running("worker") as worker:
        await until_line(worker, "Worker on task queue", on_stderr=True)
        finished = await shell.saga("run", "greeting", "--json")
        assert finished.json["output"] == "Hello you"
        worker.send_signal(signal.SIGTERM)
        _, err = await worker.communicate()
    assert worker.returncode == Exit.OK
    return err


@pytest.fixture
def given(connected: Shell, postgres_url: str) -> Shell:
    """A shell in which all is given that a worker needs to begin."""
    return connected.with_environment(SAGA_DATABASE_URL=postgres_url)


async def test_worker_sends_a_run_and_its_steps_as_one_trace(given: Shell) -> None:
    """With the standard variables set, all spans are sent before the worker has ended."""
    with collecting() as collector:
        variables = {ENDPOINT: collector.url, "OTEL_SERVICE_NAME": "greeter"}
        await run_with_worker(given.with_environment(**variables))
    names = {span.name: span.trace_id for span in collector.spans}
    assert names["RunWorkflow:greeting"] == names["RunActivity:data.transform"]
    assert collector.services == {"greeter"}


async def test_console_prints_spans_on_stderr(given: Shell) -> None:
    """For who has no collector."""
    err = await run_with_worker(given.with_environment(OTEL_TRACES_EXPORTER="console"))
    assert b'"name": "RunWorkflow:greeting"' in err


@pytest.mark.parametrize(
    ("environment", "exporter"),
    [
        ({}, None),
        ({ENDPOINT: ""}, None),
        ({ENDPOINT: "http://collector:4318"}, "otlp"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, "otlp"),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "otlp"),
        ({"OTEL_TRACES_EXPORTER": "console", ENDPOINT: "http://collector:4318"}, "console"),
        ({"OTEL_TRACES_EXPORTER": "none", ENDPOINT: "http://collector:4318"}, None),
        ({"OTEL_SDK_DISABLED": "True", ENDPOINT: "http://collector:4318"}, None),
    ],
    ids=json.dumps,
)
def test_exporter_is_the_one_that_the_variables_ask_for(environment: Mapping[str, str], exporter: str | None) -> None:
    """As OpenTelemetry's specification says, but that nothing set means no traces."""
    assert chosen_exporter(environment, "traces") == exporter


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"OTEL_TRACES_EXPORTER": "jaeger"}, "there are: otlp, console, none"),
        ({ENDPOINT: "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http/protobuf only"),
    ],
)
def test_exporter_that_there_is_not_is_a_plain_error(environment: Mapping[str, str], message: str) -> None:
    """The variable is named, and what can be had instead."""
    with pytest.raises(BadSettingsError, match=message):
        chosen_exporter(environment, "traces")


async def test_tracing_is_not_imported_where_nobody_asks(shell: Shell) -> None:
    """Nothing set, nothing paid: the SDK is what takes time, and a library may bring the interface along."""
    script = "import sys, cli.commands.up, cli.tracing\nwith cli.tracing.traced() as none: print(none, *sys.modules)"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script), cwd=ROOT, env=shell.environment, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    first, *modules = out.decode().split()
    assert first == "()"
    assert not [name for name in modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))]

"""The metrics endpoint, and metrics sent as OTLP."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from cli.exits import Exit
from cli.exporters import chosen_exporter
from cli.health import Health
from cli.metrics import serving_metrics
from cli.settings import BadSettingsError
from cli.stack.ports import LOOPBACK, choose_port, is_free
from tests.support.command_line import Shell, until_line
from tests.support.waiting import PATIENCE_SECONDS, eventually

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
TELLING = """
id: telling
version: 1.0.0
steps:
  - id: tell
    type: emit
    event: guest.came
    data: {name: Ann}
"""
VARIABLES = (ENDPOINT, "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_METRICS_EXPORTER", "OTEL_SDK_DISABLED")


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have set some."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def scraped(port: int) -> str:
    """Return what Prometheus would get."""
    with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/metrics") as answer:
        text: str = answer.read().decode()
    return text


def test_endpoint_serves_what_is_measured() -> None:
    """Under the names that Prometheus knows, with the service's name; and it is gone with the block."""
    port = choose_port()
    with serving_metrics(LOOPBACK, port) as metrics:
        metrics.handled("order.placed", "dispatched")
        metrics.watch_breaker("temporal", lambda: "open")
        text = scraped(port)
    assert 'saga_events_handled_total{event_type="order.placed",outcome="dispatched"} 1.0' in text
    assert 'saga_breaker_state{service="temporal"} 2.0' in text
    assert "saga_events_conflicts_total 0.0" in text
    assert 'service_name="sagawright"' in text
    with pytest.raises(urllib.error.URLError):
        scraped(port)
    assert is_free(port)


def test_endpoints_can_follow_each_other_in_a_process() -> None:
    """Nothing is left of the first, and its numbers are not those of the second."""
    for _ in range(2):
        port = choose_port()
        with serving_metrics(LOOPBACK, port) as metrics:
            metrics.dead_lettered("x")
            assert 'saga_dead_letters_total{code="x"} 1.0' in scraped(port)


def test_port_that_is_taken_is_a_plain_error() -> None:
    """The settings are named."""
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        expected = pytest.raises(BadSettingsError, match=f"SAGA_METRICS_PORT are {LOOPBACK} and {port}")
        with expected, serving_metrics(LOOPBACK, port):
            pass


async def test_bridge_shows_its_state_to_prometheus(connected: Shell, postgres_url: str, amqp_url: str) -> None:
    """`saga bridge` with a port: its breakers, what it has in hand, the queues, and who is alive."""
    port = choose_port()
    given = {"SAGA_METRICS_PORT": str(port), "SAGA_DATABASE_URL": postgres_url, "SAGA_AMQP_URL": amqp_url}
    async with connected.with_environment(**given).running("bridge") as bridge:
        await until_line(bridge, "Bridge consumes events", on_stderr=True)

        async def all_known() -> bool:
            text = await asyncio.to_thread(scraped, port)
            return 'saga_queue_consumers{queue="saga.events"} 1.0' in text and "saga_bridges_alive 1.0" in text

        await eventually(all_known)
        text = await asyncio.to_thread(scraped, port)
        bridge.send_signal(signal.SIGTERM)
        await bridge.communicate()
    assert bridge.returncode == Exit.OK
    for service in ("temporal", "postgresql", "rabbitmq"):
        assert f'saga_breaker_state{{service="{service}"}} 0.0' in text
    assert "saga_events_in_hand 0.0" in text


async def test_worker_shows_what_it_publishes_to_prometheus(connected: Shell, amqp_url: str) -> None:
    """`saga worker` with a port and without PostgreSQL: what an action has published is counted."""
    port = choose_port()
    connected.write("definitions/telling.yaml", TELLING)
    environment = {**connected.environment, "SAGA_METRICS_PORT": str(port), "SAGA_AMQP_URL": amqp_url}
    del environment["SAGA_DATABASE_URL"]
    shell = Shell(connected.folder, environment)
    async with shell.running("worker") as worker:
        await until_line(worker, "Worker on task queue", on_stderr=True)
        finished = await shell.saga("run", "telling")
        text = await asyncio.to_thread(scraped, port)
        worker.send_signal(signal.SIGTERM)
        await worker.communicate()
    assert finished.code == Exit.OK, finished.err
    assert worker.returncode == Exit.OK
    assert 'saga_events_published_total{event_type="guest.came"} 1.0' in text


def probed(port: int, name: str) -> tuple[int, Any]:
    """Return what a probe is answered."""
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/{name}") as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


async def test_worker_says_how_it_is(connected: Shell, postgres_url: str) -> None:
    """Alive and ready, part by part, each asked for it."""
    port = choose_port()
    shell = connected.with_environment(SAGA_METRICS_PORT=str(port), SAGA_DATABASE_URL=postgres_url)
    async with shell.running("worker") as worker:
        await until_line(worker, "Worker on task queue", on_stderr=True)
        assert await asyncio.to_thread(probed, port, "healthz") == (200, {"status": "ok"})
        ready = {"ready": True, "parts": {"temporal": True, "postgresql": True}}
        assert await asyncio.to_thread(probed, port, "readyz") == (200, ready)
        worker.send_signal(signal.SIGTERM)
        await worker.communicate()


async def test_process_that_is_held_up_says_so() -> None:
    """The probes are answered by another thread; and a part that does not answer in time is not ready."""
    port, health = choose_port(), Health()

    async def hangs() -> bool:
        await asyncio.sleep(PATIENCE_SECONDS)
        return True

    with serving_metrics(LOOPBACK, port, health):
        assert await asyncio.to_thread(probed, port, "readyz") == (503, {"ready": False, "parts": {"process": False}})
        health.watch({"slow": hangs})
        assert (await asyncio.to_thread(probed, port, "readyz"))[1] == {"ready": False, "parts": {"slow": False}}
        # Asked in this thread, whose loop is held up by that.
        assert probed(port, "healthz") == (503, {"status": "held up"})
        assert probed(port, "readyz") == (503, {"ready": False, "parts": {"process": False}})


def test_slow_connections_cost_no_threads() -> None:
    """Neither those that say nothing nor those that say little, however many; who asks properly is answered."""
    port, before = choose_port(), threading.active_count()
    with serving_metrics(LOOPBACK, port), ExitStack() as parts:
        for number in range(200):
            waiting = parts.enter_context(socket.create_connection((LOOPBACK, port)))
            waiting.sendall(b"GET /metrics HTTP/1.1\r\n"[: number % 20])
        assert threading.active_count() <= before + 5
        assert "saga_events_conflicts_total" in scraped(port)


@pytest.mark.parametrize("port", [None, 0])
def test_without_a_port_nothing_is_measured(port: int | None) -> None:
    """The instruments are there all the same, and do nothing."""
    with serving_metrics(LOOPBACK, port) as metrics:
        assert not metrics.measures
        metrics.handled("a", "dispatched")


@dataclass
class Collector:
    """Takes what is sent to `/v1/metrics`."""

    url: str = ""
    names: set[str] = field(default_factory=set)

    def take(self, body: bytes) -> None:
        """Note the names of the metrics."""
        request = ExportMetricsServiceRequest.FromString(body)
        scopes = [scope for resource in request.resource_metrics for scope in resource.scope_metrics]
        self.names |= {metric.name for scope in scopes for metric in scope.metrics}


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector inside the block."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/metrics":
                collector.take(body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    collector.url = f"http://{LOOPBACK}:{server.server_port}"
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_metrics_are_sent_where_the_variables_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left is sent when the block ends; no port is needed."""
    with collecting() as collector:
        monkeypatch.setenv(ENDPOINT, collector.url)
        with serving_metrics(LOOPBACK, None) as metrics:
            metrics.handled("order.placed", "dispatched")
    assert {"saga.events.handled", "saga.events.conflicts"} <= collector.names


def test_console_prints_metrics_on_stderr(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """For who has no collector; beside the endpoint, where a port is set."""
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "console")
    port = choose_port()
    with serving_metrics(LOOPBACK, port) as metrics:
        metrics.dead_lettered("x")
        assert "saga_dead_letters_total" in scraped(port)
    assert "saga.dead_letters" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("environment", "exporter"),
    [
        ({}, None),
        ({ENDPOINT: "http://collector:4318"}, "otlp"),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://collector:4318/v1/metrics"}, "otlp"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, None),
        ({"OTEL_METRICS_EXPORTER": "none", ENDPOINT: "http://collector:4318"}, None),
        ({"OTEL_TRACES_EXPORTER": "none", ENDPOINT: "http://collector:4318"}, "otlp"),
        ({"OTEL_SDK_DISABLED": "true", ENDPOINT: "http://collector:4318"}, None),
    ],
    ids=json.dumps,
)
def test_exporter_of_metrics_is_the_one_that_the_variables_ask_for(
    environment: Mapping[str, str], exporter: str | None
) -> None:
    """Traces and metrics are chosen apart."""
    assert chosen_exporter(environment, "metrics") == exporter

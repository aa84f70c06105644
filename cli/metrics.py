"""Metrics: a Prometheus endpoint where a port is set, OTLP where the `OTEL_*` variables ask for it, else none.

The instruments, the provider and the registry are made here and passed on, so that nothing is global and two in one
process do not meet. Without a port and without variables nothing of OpenTelemetry is imported, and the instruments do
nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from bridge.http.errors import NoListenerError
from bridge.metrics import METER, Metrics
from cli.endpoint import endpoint
from cli.exporters import chosen_exporter, service_name
from cli.health import Health
from cli.settings import BadSettingsError

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import MetricReader


@contextmanager
def serving_metrics(host: str, port: int | None, health: Health | None = None) -> Iterator[Metrics]:
    """Give the instruments inside the block; what they measure is served and sent until it ends.

    Args:
        host: The address to listen at.
        port: The port of `http://host:port/metrics`; None or 0 = no endpoint.
        health: What the probes beside it are answered by.

    Raises:
        BadSettingsError: The address cannot be used, or a variable asks for something that there is not.
    """
    exporter = chosen_exporter(os.environ, "metrics")
    with ExitStack() as parts:
        readers = []
        if port:
            readers.append(parts.enter_context(_endpoint(host, port, health or Health())))
        if exporter:
            readers.append(_sending(exporter))
        if not readers:
            yield Metrics()
            return
        provider = parts.enter_context(_providing(readers))
        yield Metrics(provider.get_meter(METER))


@contextmanager
def _providing(readers: Sequence[MetricReader]) -> Iterator[MeterProvider]:
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415  # only who measures pays for it
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415  # the same

    resource = Resource.create({"service.name": service_name()})
    provider = MeterProvider(readers, resource=resource, shutdown_on_exit=False)
    try:
        yield provider
    finally:
        provider.shutdown()


@contextmanager
def _endpoint(host: str, port: int, health: Health) -> Iterator[MetricReader]:
    from opentelemetry.exporter.prometheus import PrometheusMetricReader  # noqa: PLC0415  # the same
    from prometheus_client import CollectorRegistry  # noqa: PLC0415  # the same

    registry = CollectorRegistry()
    reader = PrometheusMetricReader(registry=registry, scope_info_enabled=False)
    with ExitStack() as parts:
        try:
            parts.enter_context(endpoint(host, port, registry, health))
        except NoListenerError as error:
            raise BadSettingsError(f"SAGA_METRICS_HOST and SAGA_METRICS_PORT are {host} and {port}: {error}") from error
        yield reader


def _sending(exporter: str) -> MetricReader:
    from opentelemetry.sdk.metrics.export import (  # noqa: PLC0415  # only who measures pays for it
        ConsoleMetricExporter,
        PeriodicExportingMetricReader,
    )

    if exporter == "console":
        return PeriodicExportingMetricReader(ConsoleMetricExporter(out=sys.stderr))
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import (  # noqa: PLC0415  # the same
        OTLPMetricExporter,
    )

    return PeriodicExportingMetricReader(OTLPMetricExporter())

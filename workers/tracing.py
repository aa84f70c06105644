"""Traces of runs: the SDK's own spans, made safe for replay by its plugin.

They are exported by the span processor that is passed in, so this module needs no exporter and reads no environment.
It stands apart from the logs because OpenTelemetry is slow to import, and only who wants traces pays for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import get_tracer_provider, set_tracer_provider
from temporalio.contrib.opentelemetry import OpenTelemetryPlugin, ReplaySafeTracerProvider, create_tracer_provider


@dataclass(frozen=True)
class Tracing:
    """Where traces go.

    Attributes:
        processor: Takes the finished spans, such as a `BatchSpanProcessor` around an exporter; whoever made it shuts it
            down.
        service: `service.name` of this process.
        attributes: More resource attributes.
        temporal_spans: Whether each workflow task and activity gets a span of its own.
    """

    processor: SpanProcessor
    service: str = "sagawright"
    attributes: Mapping[str, str] | None = None
    temporal_spans: bool = True


def tracing_plugin(tracing: Tracing) -> OpenTelemetryPlugin:
    """Return the plugin that traces runs; give it to the client, from which workers take it.

    OpenTelemetry has one tracer provider in a process: a second call adds its processor to the provider of the first,
    whose service and attributes stay.
    """
    provider = get_tracer_provider()
    if not isinstance(provider, ReplaySafeTracerProvider):
        provider = _new_provider(tracing)
        set_tracer_provider(provider)
    provider.add_span_processor(tracing.processor)
    return OpenTelemetryPlugin(add_temporal_spans=tracing.temporal_spans)


def _new_provider(tracing: Tracing) -> ReplaySafeTracerProvider:
    resource = Resource.create({"service.name": tracing.service, **(tracing.attributes or {})})
    return create_tracer_provider(resource=resource, shutdown_on_exit=False)

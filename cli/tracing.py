"""Traces, as the standard `OTEL_*` variables ask for them; where none is set there are none, and nothing is imported.

An endpoint (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`) or `OTEL_TRACES_EXPORTER=otlp` sends
them as OTLP over HTTP, `OTEL_TRACES_EXPORTER=console` prints them on stderr. Headers, time-outs, certificates,
samplers and batching are read by OpenTelemetry itself.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cli.settings import BadSettingsError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from temporalio.client import Plugin

_EXPORTER = "OTEL_TRACES_EXPORTER"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_EXPORTERS = ("otlp", "console", "none")
_SPOKEN = "http/protobuf"


@contextmanager
def traced() -> Iterator[tuple[Plugin, ...]]:
    """Give the plugins for a Temporal client inside the block; what was traced is sent when it ends.

    Raises:
        BadSettingsError: A variable asks for something that there is not.
    """
    exporter = chosen_exporter(os.environ)
    if exporter is None:
        yield ()
        return
    from workers.tracing import Tracing, tracing_plugin  # noqa: PLC0415  # a fifth of a second for those who need it

    processor = _processor(exporter)
    try:
        yield (tracing_plugin(Tracing(processor, _service())),)
    finally:
        processor.shutdown()


def chosen_exporter(environment: Mapping[str, str]) -> str | None:
    """Return `otlp` or `console`, or None: no traces.

    Raises:
        BadSettingsError: The variables ask for an exporter or a protocol that there is not.
    """
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    asked = environment.get(_EXPORTER, "").strip().lower()
    exporter = asked or ("otlp" if any(environment.get(name) for name in _ENDPOINTS) else "none")
    if exporter not in _EXPORTERS:
        raise BadSettingsError(f"{_EXPORTER} is {asked!r}; there are: {', '.join(_EXPORTERS)}.")
    if exporter == "otlp":
        _require_http(environment)
    return None if exporter == "none" else exporter


def _require_http(environment: Mapping[str, str]) -> None:
    name = next((name for name in _PROTOCOLS if environment.get(name)), None)
    if name is not None and environment[name].strip() != _SPOKEN:
        raise BadSettingsError(f"{name} is {environment[name]!r}; traces are sent by {_SPOKEN} only.")


def _processor(exporter: str) -> SpanProcessor:
    from opentelemetry.sdk.trace.export import (  # noqa: PLC0415  # only who traces pays for it
        BatchSpanProcessor,
        ConsoleSpanExporter,
        SimpleSpanProcessor,
    )

    if exporter == "console":
        return SimpleSpanProcessor(ConsoleSpanExporter(out=sys.stderr))
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415  # the same
        OTLPSpanExporter,
    )

    return BatchSpanProcessor(OTLPSpanExporter())


def _service() -> str:
    from opentelemetry.sdk.resources import OTELResourceDetector  # noqa: PLC0415  # the same

    # `OTEL_SERVICE_NAME`, or `service.name` in `OTEL_RESOURCE_ATTRIBUTES`.
    return str(OTELResourceDetector().detect().attributes.get("service.name") or "sagawright")

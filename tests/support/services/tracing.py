"""Spans in memory: the process's one tracer provider gets one more processor, which takes what a test causes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from temporalio.contrib.opentelemetry import OpenTelemetryPlugin

from workers.tracing import Tracing, tracing_plugin

SERVICE = "test"


@dataclass(frozen=True)
class Spans:
    """What was traced, and the plugin for clients whose runs are."""

    exporter: InMemorySpanExporter
    plugin: OpenTelemetryPlugin

    def finished(self) -> dict[str, ReadableSpan]:
        """Return the spans that have ended, by name; the last of each."""
        return {span.name: span for span in self.exporter.get_finished_spans()}


@contextmanager
def remembering_spans() -> Iterator[Spans]:
    """Take spans inside the block."""
    exporter = InMemorySpanExporter()
    try:
        yield Spans(exporter, tracing_plugin(Tracing(SimpleSpanProcessor(exporter), SERVICE)))
    finally:
        exporter.shutdown()


def trace_id(span: ReadableSpan) -> str:
    """Return the 32 hexadecimal digits of the trace that a span is in."""
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


def parent_id(span: ReadableSpan) -> str | None:
    """Return the 16 hexadecimal digits of a span's parent; None for a root."""
    return f"{span.parent.span_id:016x}" if span.parent else None

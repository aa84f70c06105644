"""Traces, as the standard `OTEL_*` variables ask for them; where none is set there are none, and nothing is imported.

Which variables count says `cli.exporters`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cli.exporters import chosen_exporter, service_name

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from temporalio.client import Plugin


@contextmanager
def traced() -> Iterator[tuple[Plugin, ...]]:
    """Give the plugins for a Temporal client inside the block; what was traced is sent when it ends.

    Raises:
        BadSettingsError: A variable asks for something that there is not.
    """
    exporter = chosen_exporter(os.environ, "traces")
    if exporter is None:
        yield ()
        return
    from workers.tracing import Tracing, tracing_plugin  # noqa: PLC0415  # a fifth of a second for those who need it

    processor = _processor(exporter)
    try:
        yield (tracing_plugin(Tracing(processor, service_name())),)
    finally:
        processor.shutdown()


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

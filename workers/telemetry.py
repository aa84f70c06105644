"""What a process tells about itself: structured logs, and traces where somebody collects them.

Logs are one JSON object a line, or coloured text for a person at a terminal; the fields bound once (which worker,
which run and step) are on every line. Never log payloads or secrets. Traces are the SDK's own, made safe for replay
by its plugin; they are exported by the span processor that is passed in, so this module needs no exporter and reads
no environment.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Literal, TextIO

import structlog
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import set_tracer_provider
from temporalio import activity, workflow
from temporalio.contrib.opentelemetry import OpenTelemetryPlugin, create_tracer_provider

LogFormat = Literal["json", "text"]


@dataclass(frozen=True)
class Tracing:
    """Where traces go.

    Attributes:
        processor: Takes the finished spans, such as a `BatchSpanProcessor` around an exporter.
        service: `service.name` of this process.
        attributes: More resource attributes.
        temporal_spans: Whether each workflow task and activity gets a span of its own.
    """

    processor: SpanProcessor
    service: str = "sagawright"
    attributes: Mapping[str, str] | None = None
    temporal_spans: bool = True


def configure_logging(style: LogFormat, level: int = logging.INFO, stream: TextIO | None = None, **bound: str) -> None:
    """Write the logs of this process, the libraries' included, to `stream` (default: standard error).

    Args:
        style: `json` for machines, `text` for people.
        level: The lowest level that is written.
        stream: Where to.
        bound: Fields on every line, such as the process's role.
    """
    target = stream or sys.stderr
    renderer = _renderer(style, colours=target.isatty())
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
    )
    # The ids are fields of the line already.
    activity.logger.activity_info_on_message = workflow.logger.workflow_info_on_message = False
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**bound)


def tracing_plugin(tracing: Tracing) -> OpenTelemetryPlugin:
    """Return the plugin that traces runs; give it to the client, from which workers take it.

    The tracer provider is the process's: call it once, at the start.
    """
    resource = Resource.create({"service.name": tracing.service, **(tracing.attributes or {})})
    provider = create_tracer_provider(resource=resource)
    provider.add_span_processor(tracing.processor)
    set_tracer_provider(provider)
    return OpenTelemetryPlugin(add_temporal_spans=tracing.temporal_spans)


def _renderer(style: LogFormat, *, colours: bool) -> structlog.typing.Processor:
    if style == "text":
        return structlog.dev.ConsoleRenderer(colors=colours)
    return structlog.processors.JSONRenderer(sort_keys=True)


def _with_ids(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add which run and step the line is about, where it was written in one."""
    if workflow.in_workflow():
        about = workflow.info()
        line.setdefault("workflow_id", about.workflow_id)
        line.setdefault("run_id", about.run_id)
    elif activity.in_activity():
        task = activity.info()
        line.setdefault("workflow_id", task.workflow_id)
        line.setdefault("run_id", task.workflow_run_id)
        line.setdefault("step", task.activity_id)
        line.setdefault("attempt", task.attempt)
    return line


_SHARED: tuple[structlog.typing.Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    _with_ids,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
)

"""One trace from a message to what comes of it: the bridge's own span, as a child of the producer's.

The producer's context stands in the event's metadata (`traceparent`, `tracestate`), where the decoder has put what
came as AMQP headers. While the span is current, starts and signals carry it to Temporal by themselves. The span's
name has the event's type and its attributes ids, never data. Where the tracing SDK is not loaded there is no span
and no cost.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from contracts.envelope import Event

_SCOPE: Final = "sagawright.bridge"
_SDK: Final = "opentelemetry.sdk.trace"


@contextmanager
def consuming(event: Event) -> Iterator[None]:
    """Trace the handling of an event inside the block; an exception that leaves it is recorded on the span."""
    if _SDK not in sys.modules:
        yield
        return
    from opentelemetry.trace import SpanKind, get_tracer  # noqa: PLC0415  # only who traces pays for it
    from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415  # the same
        TraceContextTextMapPropagator,
    )

    parent = TraceContextTextMapPropagator().extract(_carrier(event))
    with get_tracer(_SCOPE).start_as_current_span(
        f"consume {event.type}", parent, SpanKind.CONSUMER, _attributes(event)
    ):
        yield


def _carrier(event: Event) -> dict[str, str]:
    found = {"traceparent": event.traceparent, "tracestate": event.tracestate}
    return {name: text for name, text in found.items() if text is not None}


def _attributes(event: Event) -> dict[str, str]:
    """The names are those of OpenTelemetry's conventions for messaging."""
    return {
        "messaging.system": "rabbitmq",
        "messaging.operation.type": "process",
        "messaging.operation.name": "consume",
        "messaging.message.id": event.id,
        "messaging.message.conversation_id": event.correlation_id,
        "saga.event.type": event.type,
    }

"""The trace that the current code runs in, in the words that travel between processes (W3C Trace Context).

Every part that sends something on asks here: the bridge for a start, an action for an event. Where nobody traces,
OpenTelemetry is not loaded, and then it is not loaded here either: the answer is empty and costs a look into a
dictionary.
"""

from __future__ import annotations

import sys


def current_trace() -> dict[str, str]:
    """Return `traceparent` and, where there is one, `tracestate` of the current span; empty where there is none."""
    if "opentelemetry.trace" not in sys.modules:
        return {}
    from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415  # it is loaded already
        TraceContextTextMapPropagator,
    )

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier

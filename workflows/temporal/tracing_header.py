"""The trace context as a header of Temporal's, in the form in which the SDK's OpenTelemetry plugin reads it.

Starts and signals are made on the raw service, past the plugin's interceptor for clients, so what that would have
added is added here. The key and the encoding are the plugin's own: JSON that no payload codec touches, since the
worker reads headers without one.
"""

from __future__ import annotations

from typing import Final

from temporalio.api.common.v1 import Header
from temporalio.converter import PayloadConverter

from contracts.tracing import current_trace

TRACE_HEADER: Final = "_tracer-data"


def carry_trace(header: Header) -> None:
    """Add the current span's context to a request's header; nothing where nothing is traced."""
    trace = current_trace()
    if trace:
        [payload] = PayloadConverter.default.to_payloads([trace])
        header.fields[TRACE_HEADER].CopyFrom(payload)

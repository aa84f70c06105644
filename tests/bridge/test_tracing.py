"""The bridge's span: a child of the producer's, current while the event is handled."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from bridge.tracing import consuming
from contracts.json import Json
from contracts.tracing import current_trace
from tests.bridge.library import event
from tests.support.services.tracing import Spans, parent_id, remembering_spans, trace_id

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
PRODUCER: dict[str, Json] = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=1"}


@pytest.fixture
def spans() -> Iterator[Spans]:
    """What was traced."""
    with remembering_spans() as taken:
        yield taken


def test_consuming_continues_the_trace_of_the_producer(spans: Spans) -> None:
    """The span says which message, and nothing of its data."""
    with consuming(event("order.placed", {"secret": "canary"}, "evt-9", PRODUCER)):
        inside = current_trace()
    span = spans.finished()["consume order.placed"]
    assert (trace_id(span), parent_id(span), span.kind) == (TRACE, PARENT, SpanKind.CONSUMER)
    assert inside["traceparent"].startswith(f"00-{TRACE}-")
    assert inside["tracestate"] == "vendor=1"
    assert (span.attributes or {})["messaging.message.id"] == "evt-9"
    assert "canary" not in span.to_json()


@pytest.mark.parametrize(
    "metadata",
    [{}, {"traceparent": "00-nonsense"}, {"traceparent": 7}, {"traceparent": "0" * 100_000}, {"tracestate": "a=1"}],
    ids=["none", "nonsense", "number", "huge", "state-alone"],
)
def test_consuming_begins_a_trace_where_the_producer_has_none(spans: Spans, metadata: dict[str, Json]) -> None:
    """What is no context is no error either."""
    with consuming(event(metadata=metadata)):
        pass
    assert parent_id(spans.finished()["consume order.placed"]) is None


def test_consuming_ends_with_the_block(spans: Spans) -> None:
    """Afterwards no span is current; an exception leaves its mark and goes on."""
    with pytest.raises(KeyError), consuming(event(metadata=PRODUCER)):
        raise KeyError("x")
    assert current_trace() == {}
    assert spans.finished()["consume order.placed"].status.status_code is StatusCode.ERROR


@pytest.mark.integration
def test_tracing_is_not_imported_where_nobody_traces() -> None:
    """Handling an event costs a look into a dictionary."""
    script = """
import sys
from datetime import datetime, timezone
from bridge.tracing import consuming
from contracts.envelope import Event
from contracts.tracing import current_trace
event = Event("1", "a.b", "1.0", datetime.now(timezone.utc), "x", None, {})
with consuming(event):
    assert current_trace() == {}
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
    finished = subprocess.run(  # noqa: S603  # our own script
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert finished.stdout.strip() == "[]"

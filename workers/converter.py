"""How values and failures are written into Temporal's history.

Values are plain JSON, as everybody else's are. A failure that carries a problem document needs no stack trace: the
problem says what happened, where and what to do, and a trace would show people the inside of this program and the
folders of its machine. What was not expected is in the worker's log, with its trace.
"""

from __future__ import annotations

from dataclasses import replace

from temporalio.api.failure.v1 import Failure
from temporalio.converter import DataConverter, DefaultFailureConverter, PayloadConverter


class PlainFailureConverter(DefaultFailureConverter):
    """The SDK's converter, without stack traces."""

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """Write `exception` into `failure`, causes included, each without its stack trace."""
        super().to_failure(exception, payload_converter, failure)
        part = failure
        part.stack_trace = ""
        while part.HasField("cause"):
            part = part.cause
            part.stack_trace = ""


def data_converter() -> DataConverter:
    """Return the data converter of every client of the product."""
    return replace(DataConverter.default, failure_converter_class=PlainFailureConverter)

"""What a failure looks like in Temporal's history."""

from __future__ import annotations

from temporalio.api.failure.v1 import Failure
from temporalio.exceptions import ApplicationError

from workers.converter import data_converter


def test_failures_carry_no_stack_trace() -> None:
    """Neither the failure nor its cause shows people the inside of the program; message and type are kept."""
    converter = data_converter()
    failure = Failure()
    try:
        try:
            raise ValueError("within")
        except ValueError as error:
            raise ApplicationError("The card was refused", {"type": "rejected"}, type="rejected") from error
    except ApplicationError as error:
        converter.failure_converter.to_failure(error, converter.payload_converter, failure)
    assert (failure.message, failure.application_failure_info.type) == ("The card was refused", "rejected")
    assert (failure.stack_trace, failure.cause.stack_trace) == ("", "")
    assert failure.cause.message == "within"

"""What a failure looks like in Temporal's history."""

from __future__ import annotations

import pytest
from temporalio.api.failure.v1 import Failure
from temporalio.exceptions import ApplicationError

from workers.converter import data_converter


def test_failures_carry_no_stack_trace() -> None:
    """Neither the failure nor its cause shows people the inside of the program; message and type are kept."""
    converter = data_converter()
    failure = Failure()
    converter.failure_converter.to_failure(_raised(), converter.payload_converter, failure)
    assert (failure.message, failure.application_failure_info.type) == ("The card was refused", "rejected")
    assert (failure.stack_trace, failure.cause.stack_trace) == ("", "")
    assert "within" in failure.cause.message


def _raised() -> ApplicationError:
    """Return an error that has been raised, with its cause, so that both have a traceback."""
    with pytest.raises(ApplicationError) as caught:
        _refuse()
    return caught.value


def _refuse() -> None:
    try:
        int("within")
    except ValueError as error:
        raise ApplicationError("The card was refused", {"type": "rejected"}, type="rejected") from error

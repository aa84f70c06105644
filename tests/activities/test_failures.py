"""Every exception becomes one problem, with or without another attempt."""

from __future__ import annotations

import pickle
from datetime import timedelta

import httpx
import pytest
from pydantic import BaseModel, ValidationError
from temporalio.exceptions import ApplicationErrorCategory

from activities.failures import failure_of, translate
from activities.outbound import AddressRefusedError
from activities.problems import PermanentProblemError, TemporaryProblemError
from contracts.errors import PermanentError, ServiceUnreachableError, TemporaryError
from contracts.problems import Problem
from contracts.steps import RetryRule
from store.agents import AgentExistsError
from store.errors import ConnectionLostError, StatementRefusedError, TransactionConflictError


class Pair(BaseModel):
    """A model to break."""

    left: int
    right: list[int]


def broken() -> ValidationError:
    """Return what pydantic raises."""
    with pytest.raises(ValidationError) as caught:
        Pair.model_validate({"left": "geheim", "right": [1, "x"]})
    return caught.value


@pytest.mark.parametrize(
    ("error", "kind", "again", "outcome"),
    [
        (PermanentError("no"), "rejected", False, "failed"),
        (AgentExistsError("a1"), "rejected", False, "failed"),
        (AddressRefusedError("x"), "rejected", False, "failed"),
        (StatementRefusedError("x"), "runtime", False, "failed"),
        (TemporaryError("later"), "communication", True, "failed"),
        (ServiceUnreachableError("S", "a", "c"), "communication", True, "failed"),
        (TransactionConflictError("x"), "communication", True, "failed"),
        (ConnectionLostError("x"), "communication", True, "unknown"),
        (httpx.ConnectError("x"), "communication", True, "failed"),
        (httpx.ConnectTimeout("x"), "communication", True, "failed"),
        (httpx.PoolTimeout("x"), "communication", True, "failed"),
        (httpx.ReadTimeout("x"), "timeout", True, "unknown"),
        (httpx.WriteTimeout("x"), "timeout", True, "unknown"),
        (httpx.ReadError("x"), "communication", True, "unknown"),
        (httpx.RemoteProtocolError("x"), "communication", True, "unknown"),
        (httpx.DecodingError("x"), "communication", True, "unknown"),
        (httpx.TooManyRedirects("x"), "communication", False, "unknown"),
        (httpx.UnsupportedProtocol("x"), "validation", False, "failed"),
        (httpx.LocalProtocolError("x"), "validation", False, "failed"),
        (httpx.InvalidURL("x"), "validation", False, "failed"),
        (TimeoutError(), "timeout", True, "unknown"),
        (KeyError("x"), "runtime", True, "unknown"),
        (PermanentProblemError(Problem("out-of-ink", "No ink")), "out-of-ink", False, "failed"),
        (TemporaryProblemError(Problem("warming-up", "Wait")), "warming-up", True, "failed"),
    ],
)
def test_failure_of_decides_type_retry_and_outcome(error: Exception, kind: str, again: bool, outcome: str) -> None:
    """One row for each kind of exception."""
    failure = failure_of(error)
    assert (failure.problem.type, failure.retryable, failure.problem.outcome) == (kind, again, outcome)


def test_failure_of_validation_names_the_fields_and_no_values() -> None:
    """Every field is named by its path; what was given is not repeated."""
    failure = failure_of(broken())
    assert (failure.problem.type, failure.retryable) == ("validation", False)
    errors = failure.problem.extensions["errors"]
    assert isinstance(errors, list)
    assert [entry["path"] for entry in errors if isinstance(entry, dict)] == ["left", "right.1"]
    assert "geheim" not in str(failure.problem.to_json())


def test_failure_of_an_unexpected_exception_names_it_without_traceback() -> None:
    """Class and message are there; nothing of the code."""
    problem = failure_of(ZeroDivisionError("division by zero")).problem
    assert problem.detail == "ZeroDivisionError: division by zero"


@pytest.mark.parametrize(
    "text", ["cannot reach amqp://guest:geheim@host/x", "sent Authorization: Bearer geheim", "Basic geheim"]
)
def test_failure_of_hides_credentials(text: str) -> None:
    """Credentials in a message do not reach the history."""
    assert "geheim" not in failure_of(RuntimeError(text)).problem.detail
    assert "geheim" not in failure_of(httpx.LocalProtocolError("Illegal header value b'geheim'")).problem.detail


def test_failure_of_ours_carries_the_code() -> None:
    """A handler can tell errors of one type apart."""
    assert failure_of(AgentExistsError("a1")).problem.extensions == {"code": "agent-exists"}


def test_failure_of_cuts_endless_messages() -> None:
    """A message of a megabyte does not go into the history."""
    assert len(failure_of(RuntimeError("x" * 1_000_000)).problem.detail) == 2000


def test_translate_carries_type_message_and_document() -> None:
    """Temporal's error has the problem's type, a readable message and the document as details."""
    error = translate(PermanentError("Because."))
    assert (error.type, error.non_retryable, error.next_retry_delay) == ("rejected", True, None)
    assert error.message == "Refused: This cannot succeed, however often it is tried. Because."
    assert error.details[0]["title"] == "Refused"


def test_translate_retries_only_the_listed_types() -> None:
    """A type that is not in `on` is not retried, one that is listed is."""
    rule = RetryRule(on=("timeout",))
    assert translate(httpx.ConnectError("x"), rule).non_retryable
    assert not translate(httpx.ReadTimeout("x"), rule).non_retryable
    assert translate(PermanentError("x"), RetryRule(on=("rejected",))).non_retryable


@pytest.mark.parametrize(
    ("attempt", "share", "seconds"),
    [(1, 0.0, 2.0), (1, 1.0, 1.0), (2, 0.5, 4.5), (3, 0.0, 10.0), (5000, 0.0, 10.0), (5000, 1.0, 5.0)],
)
def test_translate_takes_a_random_share_off_the_delay(attempt: int, share: float, seconds: float) -> None:
    """The delay grows by the factor up to its maximum, less the jitter's share."""
    rule = RetryRule(jitter=0.5, backoff=2.0, factor=3.0, max_backoff=10.0)
    error = translate(httpx.ConnectError("x"), rule, attempt=attempt, share=lambda: share)
    assert error.next_retry_delay == timedelta(seconds=seconds)


def test_translate_leaves_the_delay_to_temporal_without_jitter() -> None:
    """The retry policy knows it already."""
    assert translate(httpx.ConnectError("x"), RetryRule(on=("communication",))).next_retry_delay is None


def test_translate_prefers_what_the_server_asked_for() -> None:
    """Retry-After wins over jitter, and is no matter when there is no other attempt."""
    delay = timedelta(minutes=3)
    assert translate(TemporaryError("x", delay), RetryRule(jitter=1.0)).next_retry_delay == delay
    assert translate(TemporaryError("x", delay), RetryRule(on=("timeout",))).next_retry_delay is None


def test_translate_makes_a_tainted_step_unknown() -> None:
    """A certain failure after an attempt that may have worked is not certain for the step."""
    assert translate(PermanentError("x"), tainted=True).details[0]["outcome"] == "unknown"


@pytest.mark.parametrize(
    ("error", "category"),
    [
        (PermanentError("x"), ApplicationErrorCategory.BENIGN),
        (TemporaryError("x"), ApplicationErrorCategory.BENIGN),
        (httpx.ConnectError("x"), ApplicationErrorCategory.BENIGN),
        (broken(), ApplicationErrorCategory.BENIGN),
        (StatementRefusedError("x"), ApplicationErrorCategory.UNSPECIFIED),
        (KeyError("x"), ApplicationErrorCategory.UNSPECIFIED),
    ],
    ids=lambda value: type(value).__name__,
)
def test_translate_keeps_what_was_foreseen_out_of_the_log(error: Exception, category: ApplicationErrorCategory) -> None:
    """Only what points at broken code is loud; whether it is retried is another matter."""
    translated = translate(error)
    assert (translated.category, translated.non_retryable) == (category, not failure_of(error).retryable)


def test_problem_errors_pickle() -> None:
    """Errors survive the way between processes."""
    problem = Problem("a", "b", extensions={"c": 1})
    permanent = pickle.loads(pickle.dumps(PermanentProblemError(problem)))  # noqa: S301 - our own bytes
    temporary = pickle.loads(  # noqa: S301 - our own bytes
        pickle.dumps(TemporaryProblemError(problem, timedelta(seconds=5)))
    )
    assert permanent.problem == temporary.problem == problem
    assert temporary.delay == timedelta(seconds=5)

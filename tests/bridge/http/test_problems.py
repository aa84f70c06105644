"""Every error has its status, and says nothing that is nobody's business."""

from __future__ import annotations

import inspect
import json
import pickle

import pytest
from starlette.exceptions import HTTPException

from bridge.http import errors
from bridge.http.errors import DeliveryRefusedError, DeliveryUnusableError, IntakeBusyError
from bridge.http.problems import problem_response
from contracts.errors import PermanentError, SagaError

ANSWERED = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if kind.__module__ == errors.__name__ and issubclass(kind, SagaError) and kind.code.startswith("webhook-")
]


@pytest.mark.parametrize("kind", ANSWERED, ids=lambda kind: kind.code)
def test_problem_response_knows_every_error(kind: type[SagaError]) -> None:
    """A status, a stable type, a sentence; never a 500, and 503 with the time to come again."""
    answer = problem_response(kind())
    document = json.loads(bytes(answer.body))
    assert (document["type"], document["status"]) == (kind.code, answer.status_code)
    assert document["title"] == str(kind.__doc__).splitlines()[0]
    assert answer.status_code != 500
    assert ("retry-after" in answer.headers) == (answer.status_code == 503)


@pytest.mark.parametrize("kind", ANSWERED, ids=lambda kind: kind.code)
def test_errors_pickle(kind: type[SagaError]) -> None:
    """An error keeps what it carries."""
    again = pickle.loads(pickle.dumps(kind("a reason")))  # noqa: S301  # what was pickled a moment ago
    assert (type(again), again.args, vars(again)) == (kind, kind("a reason").args, vars(kind("a reason")))


def test_problem_response_keeps_reasons_to_itself() -> None:
    """Why a signature was refused is not for its sender; why a signed body was, is."""
    assert b"stale" not in problem_response(DeliveryRefusedError("stale")).body
    assert b"`type`" in problem_response(DeliveryUnusableError("`type` has no value.")).body


@pytest.mark.parametrize("error", [ValueError("a password"), PermanentError("a password"), KeyError("a password")])
def test_problem_response_hides_what_nobody_foresaw(error: Exception) -> None:
    """It is 503, and its text stays here."""
    answer = problem_response(error)
    assert answer.status_code == 503
    assert b"password" not in answer.body


def test_problem_response_rounds_the_delay_up() -> None:
    """Whole seconds, as HTTP wants it."""
    assert problem_response(IntakeBusyError()).headers["retry-after"] == "1"
    assert problem_response(HTTPException(405, headers={"allow": "POST"})).headers["allow"] == "POST"

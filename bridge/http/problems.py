"""Errors become problem documents (RFC 9457): the one place that decides about an HTTP status.

A sender learns the kind of its mistake and nothing about us: no traceback, no name of a class, no 500. What nobody
foresaw is logged with its traceback and answered with 503, after which every sender tries again.
"""

from __future__ import annotations

import math
from datetime import timedelta
from http import HTTPStatus
from typing import Final

import structlog
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from bridge.http.errors import (
    DeliveryAbortedError,
    DeliveryAmbiguousError,
    DeliveryConflictError,
    DeliveryEncodedError,
    DeliveryRefusedError,
    DeliverySlowError,
    DeliveryTooLargeError,
    DeliveryUnusableError,
    IntakeBusyError,
    IntakeUnavailableError,
)
from contracts.errors import SagaError, TemporaryError
from contracts.problems import Problem

_STATUS: Final[dict[type[SagaError], HTTPStatus]] = {
    DeliveryRefusedError: HTTPStatus.UNAUTHORIZED,
    DeliveryTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    DeliveryEncodedError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    DeliveryAmbiguousError: HTTPStatus.BAD_REQUEST,
    DeliveryUnusableError: HTTPStatus.UNPROCESSABLE_ENTITY,
    DeliveryConflictError: HTTPStatus.CONFLICT,
    DeliverySlowError: HTTPStatus.REQUEST_TIMEOUT,
    DeliveryAbortedError: HTTPStatus.BAD_REQUEST,
    IntakeBusyError: HTTPStatus.SERVICE_UNAVAILABLE,
    IntakeUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
}
_log = structlog.get_logger(__name__)


class ProblemResponse(JSONResponse):
    """An answer whose body is a problem document."""

    media_type = "application/problem+json"


def problem_response(error: Exception) -> ProblemResponse:
    """Return the answer to a request that failed."""
    match error:
        case SagaError() if type(error) in _STATUS:
            return _answer(error, _STATUS[type(error)])
        case HTTPException():
            return _of_protocol(error)
    _log.error("http_request_failed", exc_info=error)
    return _answer(IntakeUnavailableError(), HTTPStatus.SERVICE_UNAVAILABLE)


def _answer(error: SagaError, status: HTTPStatus) -> ProblemResponse:
    problem = Problem(error.code, _sentence(type(error)), status.value, error.detail)
    delay = error.delay if isinstance(error, TemporaryError) else None
    return ProblemResponse(problem.to_json(), status.value, _headers(delay))


def _of_protocol(error: HTTPException) -> ProblemResponse:
    phrase = HTTPStatus(error.status_code).phrase
    problem = Problem(phrase.lower().replace(" ", "-"), f"{phrase}.", error.status_code)
    return ProblemResponse(problem.to_json(), error.status_code, error.headers)


def _sentence(kind: type[SagaError]) -> str:
    return (kind.__doc__ or "").strip().splitlines()[0]


def _headers(delay: timedelta | None) -> dict[str, str]:
    return {} if delay is None else {"retry-after": str(math.ceil(delay.total_seconds()))}

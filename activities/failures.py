"""The one translator of errors: whatever an action raises becomes one `ApplicationError` with a problem document.

`failure_of` decides three things about an exception: which problem it is, whether another attempt may help, and when.
`translate` adds the step's own retry rules, which a Temporal policy cannot express: a list of types that *are*
retried, and jitter. The problem's outcome is "unknown" where the effect may have happened: a request was sent and no
answer came, a transaction's commit was not confirmed, an attempt ran out of time. An exception that nobody expected
leaves it unknown too: it may have come after the effect, and one compensation too many is safer than one too few.

Failures that are foreseen are benign to Temporal's SDK, which then neither logs a traceback nor counts them as broken
code: they are in the run's history, where its definition deals with them. What nobody foresaw stays loud.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import httpx
from pydantic import ValidationError
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.problems import PermanentProblemError, TemporaryProblemError
from contracts.errors import PermanentError, TemporaryError
from contracts.json import Json
from contracts.problems import COMMUNICATION, REJECTED, RUNTIME, TIMEOUT, VALIDATION, Outcome, Problem
from contracts.steps import RetryRule
from store.errors import AccessRefusedError, ConnectionLostError, StatementRefusedError

DETAIL_CHARACTERS: Final = 2000

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_MALFORMED = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL)
_OUR_FAULT = (StatementRefusedError, AccessRefusedError)
_CREDENTIALS: Final = re.compile(r"(?<=://)[^/@\s]+@|(?<=bearer )\S+|(?<=basic )\S+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception, decided: the problem, whether another attempt may help, and when at the earliest."""

    problem: Problem
    retryable: bool
    delay: timedelta | None = None


def translate(
    error: Exception,
    rule: RetryRule | None = None,
    *,
    attempt: int = 1,
    tainted: bool = False,
    is_last: bool = False,
    share: Callable[[], float] = random.random,
) -> ApplicationError:
    """Return what the activity raises in place of `error`.

    Args:
        error: What the action raised.
        rule: The step's retry rules, where the Temporal policy does not say it all.
        attempt: Number of this attempt, from 1.
        tainted: Whether the effect of an earlier attempt may have happened.
        is_last: Whether the step may not be tried again, whatever the Temporal policy says.
        share: Gives the random share of a delay, 0 to 1.
    """
    failure = failure_of(error)
    problem = replace(failure.problem, outcome="unknown") if tainted else failure.problem
    retryable = failure.retryable and not is_last and (rule is None or not rule.on or problem.type in rule.on)
    return ApplicationError(
        f"{problem.title}: {problem.detail}" if problem.detail else problem.title,
        problem.to_json(),
        type=problem.type,
        non_retryable=not retryable,
        category=_category(problem),
        next_retry_delay=(failure.delay or _jittered(rule, attempt, share)) if retryable else None,
    )


def failure_of(error: Exception) -> Failure:
    """Decide what `error` means."""
    match error:
        case PermanentProblemError() | TemporaryProblemError():
            delay = error.delay if isinstance(error, TemporaryProblemError) else None
            return Failure(error.problem, isinstance(error, TemporaryProblemError), delay)
        case ValidationError():
            return Failure(_validation(error), retryable=False)
        case PermanentError() | TemporaryError():
            return _of_ours(error)
        case httpx.HTTPError() | httpx.InvalidURL():
            return _of_http(error)
        case TimeoutError():
            detail = "The attempt did not end in its time."
            return Failure(Problem(TIMEOUT, "Out of time", 504, detail, outcome="unknown"), retryable=True)
    detail = _plain(f"{type(error).__name__}: {error}")
    return Failure(Problem(RUNTIME, "The action failed unexpectedly", 500, detail, outcome="unknown"), retryable=True)


def outcome_of(error: Exception) -> Outcome:
    """Return whether the effect of the attempt that raised `error` may have happened."""
    return failure_of(error).problem.outcome


def _of_ours(error: PermanentError | TemporaryError) -> Failure:
    code: dict[str, Json] = {"code": error.code}
    match error:
        case ConnectionLostError():
            problem = Problem(
                COMMUNICATION, "The connection broke", 503, _plain(str(error)), outcome="unknown", extensions=code
            )
        case TemporaryError():
            problem = Problem(COMMUNICATION, "A service is not available", 503, _plain(str(error)), extensions=code)
        case _ if isinstance(error, _OUR_FAULT):
            problem = Problem(RUNTIME, "The action failed", 500, _plain(str(error)), extensions=code)
        case _:
            problem = Problem(REJECTED, "Refused", 422, _plain(str(error)), extensions=code)
    delay = error.delay if isinstance(error, TemporaryError) else None
    return Failure(problem, retryable=isinstance(error, TemporaryError), delay=delay)


def _of_http(error: httpx.HTTPError | httpx.InvalidURL) -> Failure:
    if isinstance(error, _MALFORMED):
        # The library quotes what it refuses, which may be the value of a secret header.
        detail = "The URL or a header is malformed (http and https URLs are understood)."
        return Failure(Problem(VALIDATION, "The request cannot be sent", 400, detail), retryable=False)
    said = _plain(str(error) or type(error).__name__)
    if isinstance(error, httpx.TooManyRedirects):
        return Failure(Problem(COMMUNICATION, "Too many redirects", 502, said, outcome="unknown"), retryable=False)
    if isinstance(error, _NOT_SENT):
        return Failure(Problem(COMMUNICATION, "No connection", 503, said), retryable=True)
    if isinstance(error, httpx.TimeoutException):
        detail = "The request was sent and no answer came in time; it may have been carried out."
        return Failure(Problem(TIMEOUT, "No answer in time", 504, detail, outcome="unknown"), retryable=True)
    return Failure(Problem(COMMUNICATION, "The connection broke", 502, said, outcome="unknown"), retryable=True)


def _validation(error: ValidationError) -> Problem:
    found = [(".".join(map(str, entry["loc"])) or "(all)", entry["msg"]) for entry in error.errors(include_url=False)]
    detail = _plain("; ".join(f"{path}: {message}" for path, message in found))
    errors: list[Json] = [{"path": path, "message": message} for path, message in found]
    return Problem(VALIDATION, "The arguments do not fit the action", 422, detail, extensions={"errors": errors})


def _category(problem: Problem) -> ApplicationErrorCategory:
    is_foreseen = problem.type != RUNTIME
    return ApplicationErrorCategory.BENIGN if is_foreseen else ApplicationErrorCategory.UNSPECIFIED


def _jittered(rule: RetryRule | None, attempt: int, share: Callable[[], float]) -> timedelta | None:
    if rule is None or rule.jitter <= 0:
        return None
    try:
        grown = rule.backoff * rule.factor ** (attempt - 1)
    except OverflowError:
        grown = rule.max_backoff
    return timedelta(seconds=min(grown, rule.max_backoff) * (1 - rule.jitter * share()))


def _plain(text: str) -> str:
    return _CREDENTIALS.sub("***", text)[:DETAIL_CHARACTERS]

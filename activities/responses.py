"""What an HTTP answer means for a step: its body as JSON, or the problem it stands for.

One table for all actions that call the outside. A refusal (4xx) did nothing and stays a refusal; an answer that says
"not now" (429, 503) is worth another attempt; where the server itself does not know (a gateway's 502 and 504, a 500
in the middle of its work), the outcome is unknown.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

import httpx

from activities.problems import PermanentProblemError, TemporaryProblemError
from contracts.json import Json, NotJsonError, decode
from contracts.problems import (
    AUTHENTICATION,
    AUTHORIZATION,
    COMMUNICATION,
    REJECTED,
    TIMEOUT,
    VALIDATION,
    Problem,
)

LONGEST_DELAY: Final = timedelta(days=1)
SHOWN_CHARACTERS: Final = 1000

_CREDENTIAL_HEADERS: Final = frozenset({"set-cookie", "set-cookie2", "www-authenticate", "proxy-authenticate"})
_TYPES: Final = {
    HTTPStatus.BAD_REQUEST: VALIDATION,
    HTTPStatus.UNAUTHORIZED: AUTHENTICATION,
    HTTPStatus.FORBIDDEN: AUTHORIZATION,
    HTTPStatus.REQUEST_TIMEOUT: TIMEOUT,
    HTTPStatus.UNPROCESSABLE_ENTITY: VALIDATION,
    HTTPStatus.TOO_EARLY: COMMUNICATION,
    HTTPStatus.TOO_MANY_REQUESTS: COMMUNICATION,
    HTTPStatus.GATEWAY_TIMEOUT: TIMEOUT,
}
_WORTH_ANOTHER: Final = frozenset({COMMUNICATION, TIMEOUT})
_OPEN: Final = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, read to its end."""

    status: int
    headers: httpx.Headers
    content: bytes
    encoding: str
    url: str

    def shown_headers(self) -> dict[str, str]:
        """Return the headers in lower case, without those that hold credentials."""
        return {name: value for name, value in self.headers.items() if name not in _CREDENTIAL_HEADERS}

    def is_json(self) -> bool:
        """Tell whether the answer says that it is JSON."""
        kind = str(self.headers.get("content-type", "")).partition(";")[0].strip().lower()
        return kind == "application/json" or kind.endswith("+json")

    def text(self) -> str:
        """Return the body as text; bytes that are none become replacement characters."""
        return self.content.decode(self.encoding, errors="replace")

    def body(self) -> Json:
        """Return the body: parsed where the answer says that it is JSON, None where there is none, else as text.

        Raises:
            PermanentProblemError: It says that it is JSON and is not; the request was carried out all the same.
        """
        if not self.content:
            return None
        if not self.is_json():
            return self.text()
        try:
            return decode(self.content.removeprefix(codecs.BOM_UTF8))
        except NotJsonError as error:
            detail = f"{self.url} answered {self.status} with content type JSON, and the body is none: {error}."
            problem = Problem(COMMUNICATION, "The answer is malformed", 502, detail, outcome="unknown")
            raise PermanentProblemError(problem) from error


def unexpected(reply: Reply, now: datetime) -> PermanentProblemError | TemporaryProblemError:
    """Return the error that stands for an answer whose status the step did not expect."""
    kind = problem_type(reply.status)
    problem = Problem(
        kind,
        f"The answer was {reply.status} {_phrase(reply.status)}".rstrip(),
        reply.status,
        f"{reply.url} answered {reply.status}.{_hint(reply.status)}",
        outcome="unknown" if reply.status in _OPEN else "failed",
        extensions={"response": reply.text()[:SHOWN_CHARACTERS]},
    )
    if kind not in _WORTH_ANOTHER or reply.status < HTTPStatus.BAD_REQUEST:
        return PermanentProblemError(problem)
    return TemporaryProblemError(problem, retry_after(reply.headers, now))


def problem_type(status: int) -> str:
    """Return the problem type that fits an unexpected status."""
    if status in _TYPES:
        return _TYPES[HTTPStatus(status)]
    refused = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    return REJECTED if refused else COMMUNICATION


def retry_after(headers: httpx.Headers, now: datetime) -> timedelta | None:
    """Return the delay that `Retry-After` asks for (RFC 9110, 10.2.3: seconds or a date), at most a day; None without
    it."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        # More digits than this is more than a day in any case, and might be too large for a timedelta.
        return LONGEST_DELAY if len(value) > len("86400") else min(timedelta(seconds=int(value)), LONGEST_DELAY)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        return min(max(aware - now, timedelta(0)), LONGEST_DELAY)
    except OverflowError:  # beyond the calendar, in another time zone
        return LONGEST_DELAY


def _hint(status: int) -> str:
    return " Redirects are not followed here." if 300 <= status < HTTPStatus.BAD_REQUEST else ""  # noqa: PLR2004 - the class of redirects


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in {entry.value for entry in HTTPStatus} else ""

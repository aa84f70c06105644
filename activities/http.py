"""`http.request`: call an HTTP API."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, Self

import httpx
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from activities.action import Call, action
from activities.connections import connection_named
from activities.exchange import MAX_RESPONSE_BYTES, Request, exchange, merged
from activities.failures import failure_of
from activities.outbound import CONNECT_SECONDS, READ_SECONDS
from activities.problems import PermanentProblemError
from activities.responses import unexpected
from contracts.problems import COMMUNICATION, Problem
from contracts.tracing import current_trace

Method = Literal["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]
Scalar = str | int | float | bool
StatusPattern = Annotated[str, StringConstraints(pattern=r"^([1-5]xx|[1-5]\d\d(-[1-5]\d\d)?)$")]
Status = Annotated[int, Field(ge=100, le=599)]

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_NOT_IDEMPOTENT: Final = frozenset({"POST", "PATCH"})
_SAY_SO: Final = "If the other side does no harm by carrying it out twice, say `idempotent: true`."


class HttpRequest(BaseModel):
    """What `http.request` takes: `url`, or `connection` and `path`; at most one of `body` (JSON) and `text`."""

    model_config = ConfigDict(extra="forbid")

    method: Method = "GET"
    url: str | None = Field(None, max_length=8192, description="Address; http or https, without credentials.")
    connection: str | None = Field(None, description="Name of an outside system in connections.yaml.")
    path: str = Field("", max_length=8192, description="Path on the connection.")
    query: dict[str, Scalar | list[Scalar] | None] = Field(default_factory=dict, description="Appended to the URL.")
    headers: dict[str, str] = Field(default_factory=dict)
    body: Any = Field(None, description="Sent as JSON.")
    text: str | None = Field(None, description="Sent as it is.")
    expect: Status | StatusPattern | list[Status | StatusPattern] = Field(
        "2xx", description="Statuses that are a success, such as 201, `2xx`, `200-204`, or a list of these."
    )
    connect_timeout: float = Field(CONNECT_SECONDS, gt=0, le=300, description="Seconds for the connection.")
    read_timeout: float = Field(READ_SECONDS, gt=0, le=3600, description="Seconds for each piece of the answer.")
    max_response_bytes: int = Field(MAX_RESPONSE_BYTES, gt=0, le=MAX_RESPONSE_BYTES)
    follow_redirects: bool = Field(False, description="Follow up to 5 redirects; not together with `connection`.")
    idempotent: bool = Field(
        False, description="A POST or PATCH may be sent again although it may have been carried out."
    )

    @field_validator("method", mode="before")
    @classmethod
    def _in_capitals(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _is_one_request(self) -> Self:
        if (self.url is None) == (self.connection is None):
            raise ValueError("give either `url` or `connection`")
        if self.url is not None and self.path:
            raise ValueError("`path` goes with `connection`; with `url` it is part of the URL")
        if self.sends_json() and self.text is not None:
            raise ValueError("give either `body` or `text`")
        if self.connection is not None and self.follow_redirects:
            raise ValueError("a connection's headers are for its own host: `follow_redirects` goes with `url`")
        return self

    def sends_json(self) -> bool:
        """Tell whether a JSON body was given; `null` is one."""
        return "body" in self.model_fields_set

    def may_be_repeated(self) -> bool:
        """Tell whether it does no harm to carry it out twice (RFC 9110, 9.2.2)."""
        return self.idempotent or self.method not in _NOT_IDEMPOTENT

    def content(self) -> bytes | None:
        """Return the body's bytes."""
        if self.sends_json():
            return json.dumps(self.body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        return None if self.text is None else self.text.encode()

    def expects(self, status: int) -> bool:
        """Tell whether `status` is a success."""
        patterns = self.expect if isinstance(self.expect, list) else [self.expect]
        return any(_fits(pattern, status) for pattern in patterns)


class HttpReply(BaseModel):
    """What `http.request` gives: the answer."""

    status: int
    headers: dict[str, str] = Field(description="In lower case, without cookies.")
    body: Any = Field(description="Parsed where the answer says that it is JSON, else text; null where there is none.")
    url: str = Field(description="Where the answer came from, without its query.")


@action("http.request")
async def http_request(given: HttpRequest, call: Call) -> HttpReply:
    """Call an HTTP API and return its answer.

    An unsafe method carries the step's `Idempotency-Key`, so that a server which knows the header carries out a
    repeated attempt once. A POST or PATCH that may have been carried out is sent again only if the step says that it is
    `idempotent`.
    """
    url, headers = _target(given, call)
    request = Request(
        given.method,
        _with_query(url, given.query),
        merged(_defaults(given, call.context.idempotency_key), headers, given.headers),
        given.content(),
        connect_seconds=given.connect_timeout,
        read_seconds=given.read_timeout,
        max_bytes=given.max_response_bytes,
        follow_redirects=given.follow_redirects,
    )
    if given.may_be_repeated():
        return await _carried_out(given, call, request)
    if call.tainted:
        detail = f"An earlier attempt of this {given.method} may have been carried out. {_SAY_SO}"
        raise PermanentProblemError(Problem(COMMUNICATION, "Not sent again", 502, detail, outcome="unknown"))
    try:
        return await _carried_out(given, call, request)
    except Exception as error:
        problem = failure_of(error).problem
        if problem.outcome == "failed":
            raise
        detail = f"{problem.detail} It is not sent again. {_SAY_SO}"
        raise PermanentProblemError(replace(problem, detail=detail)) from error


async def _carried_out(given: HttpRequest, call: Call, request: Request) -> HttpReply:
    reply = await exchange(call.resources.http, request)
    if not given.expects(reply.status):
        raise unexpected(reply, datetime.now(UTC))
    return HttpReply(status=reply.status, headers=reply.shown_headers(), body=reply.body(), url=reply.url)


def _target(given: HttpRequest, call: Call) -> tuple[str, dict[str, str]]:
    if given.connection is None:
        return given.url or "", {}
    connection = connection_named(call.resources.connections, given.connection)
    return connection.url(given.path), connection.headers_with(call.resources.secret)


def _defaults(given: HttpRequest, key: str) -> dict[str, str]:
    headers = current_trace() | ({} if given.method in _SAFE else {"idempotency-key": key})
    if given.sends_json():
        headers["content-type"] = "application/json"
    elif given.text is not None:
        headers["content-type"] = "text/plain; charset=utf-8"
    return headers


def _with_query(url: str, query: Mapping[str, Scalar | list[Scalar] | None]) -> str:
    pairs = {name: value for name, value in query.items() if value is not None}
    if not pairs:
        return url
    sent = url.partition("#")[0]
    return f"{sent}{'&' if '?' in sent else '?'}{httpx.QueryParams(pairs)}"


def _fits(pattern: int | str, status: int) -> bool:
    if isinstance(pattern, int):
        return pattern == status
    if re.fullmatch(r"\dxx", pattern):
        return pattern[0] == str(status)[0]
    low, _, high = pattern.partition("-")
    return int(low) <= status <= int(high or low)

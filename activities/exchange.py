"""One request and its answer, with every limit that an answer of unknown size and speed needs.

Redirects are followed here and not by the library: it reads the body of each to its end, and takes headers that are
meant for one host along to another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import httpx

from activities.decoding import ACCEPTED, TooLargeError, UndecodableError, charset_of, read
from activities.outbound import CONNECT_SECONDS, MAX_REDIRECTS, READ_SECONDS
from activities.problems import PermanentProblemError
from activities.responses import Reply
from contracts.problems import COMMUNICATION, VALIDATION, Problem

MAX_RESPONSE_BYTES: Final = 1024 * 1024

_FRAMING: Final = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "te", "trailer"}
)
_GO_TO_OTHER_HOSTS: Final = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type", "host", "user-agent"}
)


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent, and how long and how much we are ready to wait for.

    Attributes:
        content: The body's bytes, or None.
        connect_seconds: For the connection, with TLS.
        read_seconds: For each piece of the answer.
        max_bytes: Largest answer.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    connect_seconds: float = CONNECT_SECONDS
    read_seconds: float = READ_SECONDS
    max_bytes: int = MAX_RESPONSE_BYTES
    follow_redirects: bool = False


def merged(*parts: Mapping[str, str]) -> dict[str, str]:
    """Return all headers of `parts` with lower-case names; of two with one name the later."""
    return {name.lower(): value for part in parts for name, value in part.items()}


async def exchange(client: httpx.AsyncClient, request: Request) -> Reply:
    """Send `request` and read the answer to its end, or to its limit.

    Raises:
        PermanentProblemError: The URL or a header is malformed, or the answer is larger than the limit.
        httpx.HTTPError: The request or the answer did not get through.
        AddressRefusedError: The address may not be reached.
    """
    response = await client.send(_built(client, request), stream=True, follow_redirects=False)
    try:
        if request.follow_redirects:
            response = await _followed(client, response)
        content = await _limited(response, request.max_bytes)
    finally:
        await response.aclose()
    url = str(response.url.copy_with(query=None, fragment=None))
    return Reply(response.status_code, response.headers, content, charset_of(_content_type(response)), url)


def _built(client: httpx.AsyncClient, request: Request) -> httpx.Request:
    return client.build_request(
        request.method,
        _url(request.url),
        headers={**_headers(request.headers), "accept-encoding": ACCEPTED},
        content=request.content,
        timeout=httpx.Timeout(request.read_seconds, connect=request.connect_seconds),
    )


async def _followed(client: httpx.AsyncClient, response: httpx.Response) -> httpx.Response:
    """Go where redirects lead; none of their bodies is read."""
    for _ in range(MAX_REDIRECTS):
        following = response.next_request
        if following is None:
            return response
        await response.aclose()
        if _origin(following.url) != _origin(response.url):
            following.headers = httpx.Headers(
                {name: value for name, value in following.headers.items() if name in _GO_TO_OTHER_HOSTS}
            )
        response = await client.send(following, stream=True, follow_redirects=False)
    if response.next_request is not None:
        await response.aclose()
        raise httpx.TooManyRedirects(f"There are more than {MAX_REDIRECTS} redirects.", request=response.request)
    return response


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


async def _limited(response: httpx.Response, limit: int) -> bytes:
    try:
        return await read(response.aiter_raw(), response.headers.get("content-encoding", ""), limit)
    except TooLargeError as error:
        detail = f"The answer ({response.status_code}) is larger than {limit} bytes; it was not read to its end."
        raise _unusable("The answer is too large", detail) from error
    except UndecodableError as error:
        raise _unusable("The answer is malformed", f"The answer ({response.status_code}): {error}.") from error


def _unusable(title: str, detail: str) -> PermanentProblemError:
    """The request was carried out, whatever its answer looks like."""
    return PermanentProblemError(Problem(COMMUNICATION, title, 502, detail, outcome="unknown"))


def _content_type(response: httpx.Response) -> str:
    return str(response.headers.get("content-type", ""))


def _url(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise _malformed("The URL is malformed.") from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise _malformed("The URL must begin with http:// or https:// and name a host.")
    if url.userinfo:
        raise _malformed("The URL holds credentials, which would stay in the run's history; use a connection.")
    return url


def _headers(headers: Mapping[str, str]) -> httpx.Headers:
    for name, value in headers.items():
        if name.lower() in _FRAMING:
            raise _malformed(f"The header {name!r} belongs to the connection and cannot be set.")
        sound = value.isascii() and value.isprintable() and value == value.strip()
        if not sound or not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
            # Never the value: it may be a secret.
            raise _malformed(f"The header {name!r} has a name or a value that HTTP does not allow.")
    return httpx.Headers(dict(headers))


def _malformed(detail: str) -> PermanentProblemError:
    return PermanentProblemError(Problem(VALIDATION, "The request cannot be sent", 422, detail))

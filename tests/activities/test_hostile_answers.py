"""Answers that mean harm, and answers that are merely wrong: what they cost, and what they do to what was done."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Mapping
from typing import Any

import pytest

from activities.http import http_request
from activities.resources import Resources
from tests.activities.carrying import Attempt, carry_out, context, failure, problem
from tests.activities.server import Answer, Asked, HttpServer, serving

_MEBIBYTE = 1024 * 1024
_MOST_MEMORY = 16 * _MEBIBYTE
"""A tenth of what one of the bodies below would take, and many times what the limit of an answer does."""


def packed(times: int, size: int) -> bytes:
    """Return zeros, packed so many times over."""
    body = b"\0" * size
    for _ in range(times):
        body = gzip.compress(body, 9)
    return body


BOMB = packed(1, 256 * _MEBIBYTE)


UNDECODABLE: Mapping[str, tuple[str, bytes]] = {
    "packed three times": ("gzip, gzip, gzip", packed(3, 64 * _MEBIBYTE)),
    "gzip": ("gzip", BOMB),
    "deflate": ("deflate", zlib.compress(b"\0" * 64 * _MEBIBYTE, 9)),
    "brotli": ("br", b"\x0b\x02\x80abc\x03"),
    "compress": ("compress", b"abc"),
    "not packed": ("gzip", b"this is not packed"),
    "cut": ("gzip", gzip.compress(b"x" * 1000)[:-9]),
    "a long name": ("x" * 5000, b"abc"),
}


@pytest.mark.parametrize("case", list(UNDECODABLE))
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_answer_that_cannot_be_decoded_costs_little_and_leaves_the_outcome_unknown(
    outside: Resources, server: HttpServer, case: str, method: str
) -> None:
    """However much it would become; the request was carried out, and is not sent again."""
    coding, body = UNDECODABLE[case]
    server.answer = lambda _: Answer(200, {"Content-Encoding": coding}, body)
    tracemalloc.start()
    error = await failure(http_request, outside, {"url": server.url, "method": method})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert problem(error)["outcome"] == "unknown"
    assert peak < _MOST_MEMORY
    assert len(server.asked) == 1


@pytest.mark.parametrize("coding", ["", "identity", "gzip", "x-gzip", "GZIP", "deflate", "raw deflate"])
async def test_answer_is_decoded(outside: Resources, server: HttpServer, coding: str) -> None:
    """One coding of those that are accepted; deflate in both of its readings."""
    text = b"hello " * 1000
    raw = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    bodies = {
        "": text,
        "identity": text,
        "deflate": zlib.compress(text),
        "raw deflate": raw.compress(text) + raw.flush(),
    }
    said = coding.removeprefix("raw ")
    body = bodies.get(coding) or gzip.compress(text)
    server.answer = lambda _: Answer(200, {"Content-Encoding": said} if said else {}, body)
    reply = await carry_out(http_request, outside, {"url": server.url})
    assert reply["body"] == text.decode()
    assert server.asked[0].headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize(
    ("charset", "content", "text"),
    [
        ("iso-8859-1", b"\xe4", "ä"),
        ('"UTF-8"', "ä".encode(), "ä"),
        ("windows-1251", b"\xe6", "ж"),
        ("shift_jis", b"\x82\xa0", "あ"),
        ("hex", b"abc", "abc"),
        ("punycode", b"abc-" + b"x" * 200_000, "abc-" + "x" * 200_000),
        ("idna", b"abc", "abc"),
        ("unicode_escape", b"\\u0041", "\\u0041"),
        ("zlib", b"abc", "abc"),
        ("no-such-charset", "ä".encode(), "ä"),
        ("", b"\xff", "\N{REPLACEMENT CHARACTER}"),
    ],
)
async def test_text_is_read_in_a_charset_of_a_short_list(
    outside: Resources, server: HttpServer, charset: str, content: bytes, text: str
) -> None:
    """All others are read as UTF-8, as if none were named."""
    server.answer = lambda _: Answer(200, {"Content-Type": f"text/plain; charset={charset}"}, content)
    reply = await carry_out(http_request, outside, {"url": server.url})
    assert reply["body"] == text


async def test_body_of_a_redirect_is_not_read(outside: Resources, server: HttpServer) -> None:
    """However long it is."""

    def answer(asked: Asked) -> Answer:
        if asked.path == "/end":
            return Answer(200, body=b"there")
        return Answer(302, {"Location": "/end", "Content-Encoding": "gzip"}, BOMB)

    server.answer = answer
    tracemalloc.start()
    given = {"url": server.url, "follow_redirects": True}
    reply = await carry_out(http_request, outside, given)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert reply["body"] == "there"
    assert peak < _MOST_MEMORY


async def test_headers_do_not_follow_to_another_host(outside: Resources, server: HttpServer) -> None:
    """Neither credentials nor any header that the step has set; on the same host they do."""
    with serving() as other:
        server.answer = lambda asked: (
            Answer(307, {"Location": "/again"})
            if asked.path == "/"
            else Answer(307, {"Location": f"http://localhost:{other.port}/"})
        )
        given = {
            "url": server.url,
            "method": "POST",
            "body": {"a": 1},
            "headers": {"Authorization": "Bearer secret", "X-Api-Key": "secret", "Cookie": "a=secret"},
            "follow_redirects": True,
        }
        await carry_out(http_request, outside, given)
        assert server.asked[1].headers["x-api-key"] == "secret"
        assert "secret" not in str(other.asked[0].headers)
        assert other.asked[0].body == b'{"a":1}'
        assert other.asked[0].headers["content-type"] == "application/json"


ANSWERS: Mapping[str, tuple[Answer, str, int]] = {
    "half a pair in JSON": (Answer(200, {"Content-Type": "application/json"}, b'{"text": "ok \\ud83d"}'), "unknown", 1),
    "a number without end": (Answer(200, {"Content-Type": "application/json"}, b"1e999"), "unknown", 1),
    "JSON that is too deep": (Answer(200, {"Content-Type": "application/json"}, b"[" * 5000), "unknown", 1),
    "JSON that is none": (Answer(200, {"Content-Type": "application/json"}, b"{"), "unknown", 1),
    "cut": (Answer(200, body=b"x" * 1000, cut=10), "unknown", 1),
    "too large": (Answer(200, body=b"x" * 2 * _MEBIBYTE), "unknown", 1),
    "400": (Answer(400), "failed", 1),
    "408": (Answer(408), "unknown", 1),
    "409": (Answer(409), "failed", 1),
    "425": (Answer(425), "failed", 3),
    "429": (Answer(429), "failed", 3),
    "429 until beyond the calendar": (
        Answer(429, {"Retry-After": "Fri, 31 Dec 9999 23:59:59 -2359"}),
        "failed",
        3,
    ),
    "500": (Answer(500), "unknown", 1),
    "502": (Answer(502), "unknown", 1),
    "503": (Answer(503), "failed", 3),
    "504": (Answer(504), "unknown", 1),
}


async def attempts(outside: Resources, given: Any, most: int = 3) -> Mapping[str, Any]:
    """Carry a step out as Temporal does, up to so many attempts, and return the last problem."""
    left: tuple[Any, ...] = ()
    for number in range(1, most + 1):
        attempt = Attempt(number, left)
        error = await attempt.failure(http_request, outside, given, context())
        left = tuple(attempt.beats[-1:])
        if error.non_retryable:
            break
    return problem(error)


@pytest.mark.parametrize("case", list(ANSWERS))
@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
async def test_what_was_perhaps_done_is_not_done_again(
    outside: Resources, server: HttpServer, case: str, method: str
) -> None:
    """A POST or PATCH whose outcome is unknown is sent once; what certainly failed is sent again, and so is a PUT."""
    answer, outcome, sent = ANSWERS[case]
    server.answer = lambda _: answer
    told = await attempts(outside, {"url": server.url, "method": method, "max_response_bytes": _MEBIBYTE})
    assert told.get("outcome", "failed") == outcome
    if method in {"POST", "PATCH"}:
        assert len(server.asked) == sent
    else:
        assert len(server.asked) >= sent


async def test_step_may_say_that_it_does_no_harm_twice(outside: Resources, server: HttpServer) -> None:
    """Then a POST is sent again as other methods are."""
    server.answer = lambda _: Answer(500)
    told = await attempts(outside, {"url": server.url, "method": "POST", "idempotent": True})
    assert told["outcome"] == "unknown"
    assert len(server.asked) == 3


async def test_attempt_after_one_that_said_nothing_does_not_send(outside: Resources, server: HttpServer) -> None:
    """The worker of the one before was killed: perhaps in the middle of the request."""
    given = {"url": server.url, "method": "POST"}
    error = await Attempt(2).failure(http_request, outside, given, context())
    assert error.details[0]["outcome"] == "unknown"
    assert error.non_retryable
    assert server.asked == []

"""`http.request` against a real server."""

from __future__ import annotations

import dataclasses
import gzip
import json
from datetime import timedelta
from typing import Any

import pytest

from activities.connections import Connection
from activities.http import http_request
from activities.resources import Resources
from tests.activities.carrying import carry_out, context, failure, problem
from tests.activities.server import Answer, Asked, HttpServer


async def test_request_returns_status_headers_and_parsed_body(outside: Resources, server: HttpServer) -> None:
    """JSON is parsed, cookies are left out, the query is not repeated."""
    headers = {"content-type": "application/json", "set-cookie": "a=b", "x-b": "c"}
    server.answer = lambda _: Answer(200, headers, b'{"name": "Ada"}')
    output = await carry_out(http_request, outside, {"url": f"{server.url}/customers?token=1"})
    assert output["body"] == {"name": "Ada"}
    assert output["status"] == 200
    assert output["headers"]["x-b"] == "c"
    assert "set-cookie" not in output["headers"]
    assert output["url"] == f"{server.url}/customers"


async def test_request_sends_body_query_and_headers(outside: Resources, server: HttpServer) -> None:
    """What is given arrives, with the step's idempotency key."""
    given = {
        "method": "post",
        "url": f"{server.url}/a?x=1#part",
        "query": {"y": ["2", 3], "z": "ä b", "none": None},
        "headers": {"X-Trace": "t"},
        "body": {"n": 1.5, "ü": None},
    }
    await carry_out(http_request, outside, given)
    asked = server.asked[0]
    assert (asked.method, asked.path) == ("POST", "/a?x=1&y=2&y=3&z=%C3%A4+b")
    assert json.loads(asked.body) == {"n": 1.5, "ü": None}
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["idempotency-key"] == "run-1/step"
    assert asked.headers["x-trace"] == "t"
    assert asked.headers["user-agent"] == "sagawright"


async def test_request_keeps_headers_that_are_given(outside: Resources, server: HttpServer) -> None:
    """An own idempotency key and content type win; a safe method has no key."""
    given = {
        "method": "PUT",
        "url": server.url,
        "text": "<a/>",
        "headers": {"IDEMPOTENCY-KEY": "mine", "content-type": "text/xml"},
    }
    await carry_out(http_request, outside, given)
    await carry_out(http_request, outside, {"url": server.url})
    assert server.asked[0].headers["idempotency-key"] == "mine"
    assert (server.asked[0].headers["content-type"], server.asked[0].body) == ("text/xml", b"<a/>")
    assert "idempotency-key" not in server.asked[1].headers


async def test_request_sends_null_as_a_body(outside: Resources, server: HttpServer) -> None:
    """`body: null` is a JSON document, no body is none."""
    await carry_out(http_request, outside, {"method": "POST", "url": server.url, "body": None})
    await carry_out(http_request, outside, {"method": "POST", "url": server.url})
    assert [asked.body for asked in server.asked] == [b"null", b""]


async def test_request_uses_a_connection(outside: Resources, server: HttpServer) -> None:
    """Base URL and secret headers come from the connection."""
    crm = Connection(base_url=f"{server.url}/v1", headers={"X-Key": "env:KEY"})
    resources = dataclasses.replace(outside, connections={"crm": crm}, secret={"env:KEY": "geheim"}.__getitem__)
    output = await carry_out(http_request, resources, {"connection": "crm", "path": "/customers"})
    assert server.asked[0].path == "/v1/customers"
    assert server.asked[0].headers["x-key"] == "geheim"
    assert "geheim" not in str(output)


async def test_request_never_shows_a_secret_that_cannot_be_sent(outside: Resources, server: HttpServer) -> None:
    """A secret with a line break is refused by the name of its header."""
    crm = Connection(base_url=server.url, headers={"X-Key": "env:KEY"})
    resources = dataclasses.replace(outside, connections={"crm": crm}, secret=lambda _: "geheim\n")
    error = await failure(http_request, resources, {"connection": "crm"})
    assert error.type == "validation"
    assert "x-key" in problem(error)["detail"]
    assert "geheim" not in str(problem(error)) + str(error)


async def test_request_without_a_resolver_refuses_references(outside: Resources, server: HttpServer) -> None:
    """A worker that resolves no secrets says so."""
    crm = Connection(base_url=server.url, bearer="env:KEY")
    resources = dataclasses.replace(outside, connections={"crm": crm})
    error = await failure(http_request, resources, {"connection": "crm"})
    assert problem(error)["code"] == "secrets-unavailable"


@pytest.mark.parametrize(
    ("expect", "status", "succeeds"),
    [
        ("2xx", 204, True),
        ("2xx", 302, False),
        (404, 404, True),
        (["200-202", 404], 202, True),
        (["200-202", 404], 203, False),
        ("4xx", 404, True),
    ],
)
async def test_request_expects_statuses(
    outside: Resources, server: HttpServer, expect: Any, status: int, succeeds: bool
) -> None:
    """A step says which statuses are its success."""
    server.answer = lambda _: Answer(status)
    given = {"url": server.url, "expect": expect}
    if succeeds:
        assert (await carry_out(http_request, outside, given))["status"] == status
    else:
        assert problem(await failure(http_request, outside, given))["status"] == status


async def test_request_follows_redirects_only_when_told(outside: Resources, server: HttpServer) -> None:
    """A redirect is a failure with a hint; with `follow_redirects` it is followed, and a circle ends."""

    def answer(asked: Asked) -> Answer:
        return {"/old": Answer(302, {"location": "/new"}), "/circle": Answer(302, {"location": "/circle"})}.get(
            asked.path, Answer(200, {"content-type": "text/plain"}, b"new")
        )

    server.answer = answer
    refused = await failure(http_request, outside, {"url": f"{server.url}/old"})
    assert "Redirects are not followed" in problem(refused)["detail"]
    output = await carry_out(http_request, outside, {"url": f"{server.url}/old", "follow_redirects": True})
    assert (output["body"], output["url"]) == ("new", f"{server.url}/new")
    endless = await failure(http_request, outside, {"url": f"{server.url}/circle", "follow_redirects": True})
    assert (endless.type, endless.non_retryable) == ("communication", True)


async def test_request_reports_retry_after(outside: Resources, server: HttpServer) -> None:
    """The server's own delay becomes the delay of the next attempt."""
    server.answer = lambda _: Answer(429, {"retry-after": "7"})
    error = await failure(http_request, outside, {"url": server.url})
    assert (error.type, error.non_retryable, error.next_retry_delay) == ("communication", False, timedelta(seconds=7))


async def test_request_that_gets_no_answer_is_unknown(outside: Resources, server: HttpServer) -> None:
    """It was sent; whether it was carried out nobody knows."""
    server.answer = lambda _: Answer(hang=True)
    error = await failure(http_request, outside, {"method": "POST", "url": server.url, "read_timeout": 0.05})
    assert (error.type, problem(error)["outcome"]) == ("timeout", "unknown")


async def test_request_whose_answer_breaks_off_is_unknown(outside: Resources, server: HttpServer) -> None:
    """A connection that ends in the middle of the answer leaves the outcome open."""
    server.answer = lambda _: Answer(200, {}, b"x" * 100, cut=10)
    error = await failure(http_request, outside, {"method": "POST", "url": server.url})
    assert (error.type, problem(error)["outcome"]) == ("communication", "unknown")


async def test_request_to_a_closed_port_certainly_failed(outside: Resources, server: HttpServer) -> None:
    """Without a connection nothing was sent."""
    port = server.port
    server.stop()
    error = await failure(http_request, outside, {"method": "POST", "url": f"http://127.0.0.1:{port}"})
    assert (error.type, error.non_retryable, "outcome" in problem(error)) == ("communication", False, False)


async def test_request_stops_reading_at_its_limit(outside: Resources, server: HttpServer) -> None:
    """An answer that is too large is not read to its end."""
    server.answer = lambda _: Answer(200, {}, b"x" * 2048)
    error = await failure(http_request, outside, {"url": server.url, "max_response_bytes": 1024})
    assert (error.type, error.non_retryable) == ("communication", True)
    assert (await carry_out(http_request, outside, {"url": server.url, "max_response_bytes": 2048}))["status"] == 200


async def test_request_counts_the_bytes_after_decompression(outside: Resources, server: HttpServer) -> None:
    """Ten kilobytes that become ten megabytes are too large."""
    server.answer = lambda _: Answer(200, {"content-encoding": "gzip"}, gzip.compress(bytes(10 * 1024 * 1024)))
    error = await failure(http_request, outside, {"url": server.url})
    assert (error.type, error.non_retryable) == ("communication", True)


async def test_request_sends_one_header_of_a_name(outside: Resources, server: HttpServer) -> None:
    """The step's own spelling replaces the connection's header instead of standing beside it."""
    crm = Connection(base_url=server.url, headers={"X-Version": "1"})
    resources = dataclasses.replace(outside, connections={"crm": crm})
    await carry_out(http_request, resources, {"connection": "crm", "headers": {"x-version": "2"}})
    assert server.asked[0].headers["x-version"] == "2"


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"url": "http://a", "connection": "crm"},
        {"url": "http://a", "path": "/x"},
        {"url": "http://a", "body": 1, "text": "x"},
        {"connection": "crm", "follow_redirects": True},
        {"url": "http://a", "method": "TRACE"},
        {"url": "http://a", "expect": "abc"},
        {"url": "http://a", "hedaers": {}},
        {"url": "ftp://a"},
        {"url": "/relative"},
        {"url": "http://u:p@a"},
        {"url": "http://[::1"},
        {"url": "http://127.0.0.1", "headers": {"a b": "c"}},
        {"url": "http://127.0.0.1", "headers": {"a": "c\r\nX: y"}},
        {"url": "http://127.0.0.1", "headers": {"Host": "other"}},
        {"url": "http://127.0.0.1", "headers": {"Transfer-Encoding": "chunked"}},
        {"url": "http://127.0.0.1", "read_timeout": 0},
        None,
        [1],
    ],
)
async def test_request_refuses_malformed_arguments(outside: Resources, given: Any) -> None:
    """Every mistake is a `validation` problem that is not tried again."""
    error = await failure(http_request, outside, given)
    assert (error.type, error.non_retryable) == ("validation", True)


async def test_request_reports_an_unknown_connection(outside: Resources) -> None:
    """The problem lists the connections there are."""
    error = await failure(http_request, outside, {"connection": "crm"})
    assert (error.type, problem(error)["code"]) == ("rejected", "unknown-connection")


async def test_request_refuses_an_inner_address(outside: Resources) -> None:
    """The guard stands also behind the action."""
    error = await failure(http_request, outside, {"url": "http://169.254.169.254/latest/meta-data"}, context())
    assert (problem(error)["code"], error.non_retryable) == ("address-refused", True)

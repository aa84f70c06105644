"""`webhook.send` against a real server."""

from __future__ import annotations

import dataclasses
import json

import pytest

from activities.connections import Connection
from activities.resources import Resources
from activities.webhooks import webhook_send
from tests.activities.carrying import carry_out, context, failure, problem
from tests.activities.server import Answer, HttpServer


async def test_webhook_has_a_stable_id(outside: Resources, server: HttpServer) -> None:
    """Two attempts of one step send one id; another step has another."""
    given = {"url": f"{server.url}/hook", "body": {"a": 1}, "headers": {"X-Own": "1", "Webhook-ID": "forged"}}
    first = await carry_out(webhook_send, outside, given)
    second = await carry_out(webhook_send, outside, given)
    third = await carry_out(webhook_send, outside, given, context("other"))
    assert first == second == {"status": 200, "webhook_id": server.asked[0].headers["webhook-id"]}
    assert third["webhook_id"] != first["webhook_id"]
    assert json.loads(server.asked[0].body) == {"a": 1}
    assert "forged" not in first["webhook_id"]
    assert server.asked[0].headers["webhook-timestamp"].isdigit()
    assert server.asked[0].headers["x-own"] == "1"


async def test_webhook_goes_to_an_endpoint(outside: Resources, server: HttpServer) -> None:
    """The endpoint's base URL and headers come from the connections."""
    marketing = Connection(base_url=f"{server.url}/in", bearer="env:TOKEN")
    resources = dataclasses.replace(outside, connections={"marketing": marketing}, secret=lambda _: "t")
    await carry_out(webhook_send, resources, {"endpoint": "marketing", "body": []})
    assert (server.asked[0].path, server.asked[0].headers["authorization"]) == ("/in", "Bearer t")


@pytest.mark.parametrize(("status", "again"), [(301, False), (307, False), (410, False), (429, True), (503, True)])
async def test_webhook_fails_on_other_statuses(
    outside: Resources, server: HttpServer, status: int, again: bool
) -> None:
    """A redirect and "gone" are final, "not now" is not."""
    server.answer = lambda _: Answer(status, {"location": "/elsewhere"})
    error = await failure(webhook_send, outside, {"url": server.url, "body": 1})
    assert (problem(error)["status"], not error.non_retryable) == (status, again)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"url": "http://a"},
        {"url": "http://a", "endpoint": "b", "body": 1},
        {"body": 1},
        {"url": "http://a", "path": "/b", "body": 1},
    ],
)
async def test_webhook_refuses_malformed_arguments(outside: Resources, given: object) -> None:
    """One target and a body are needed."""
    assert (await failure(webhook_send, outside, given)).type == "validation"

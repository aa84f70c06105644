"""Webhooks in, from outside: HTTP, outbox, relay, bus, bridge, run."""

from __future__ import annotations

import hashlib
import hmac
import json

import httpx

from store.event_reader import Filter, latest
from tests.acceptance.post import SECRET, Post, key


async def deliver(post: Post, body: bytes, identity: str, secret: str = SECRET) -> httpx.Response:
    """Send a body with the seed's signature."""
    signature = f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"
    headers = {"x-webhook-signature": signature, "x-webhook-id": identity, "content-type": "application/json"}
    url = f"http://127.0.0.1:{post.place.extra['SAGA_HTTP_PORT']}/webhooks/shop"
    async with httpx.AsyncClient() as http:
        return await http.post(url, content=body, headers=headers)


def ordered(errand: str, **more: str) -> bytes:
    """Return the body of an order."""
    return json.dumps({"kind": "ordered", "id": errand, **more}).encode()


async def test_webhook_starts_one_run_though_it_comes_twice(post: Post) -> None:
    """202, by the outbox onto the bus, a run with the key; the same again is a duplicate and no event."""
    errand = key()
    first = await deliver(post, ordered(errand), f"d-{errand}")
    assert (first.status_code, first.json()["status"]) == (202, "accepted")
    given = (await post.result(f"errand/{errand}"))["event"]
    assert (given["type"], given["source"]) == ("errand.ordered", "webhook/shop")
    assert given["metadata"]["group_id"] == errand
    assert given["data"] == {"kind": "ordered", "id": errand}
    again = await deliver(post, ordered(errand), f"d-{errand}")
    assert (again.status_code, again.json()["status"]) == (200, "duplicate")
    # Events of one key keep their order: what the second delivery might have caused would come before this run's end.
    await deliver(post, ordered(errand, note="the next"), f"next-{errand}")
    await post.reaches(f"errand/{errand}", executions=2)
    about_it = [row for row in await latest(post.database, 1000, Filter()) if row.group_key == errand]
    assert [row.event_type for row in about_it if row.source == "webhook/shop"] == ["errand.ordered"] * 2


async def test_webhooks_that_are_not_right_are_refused(post: Post) -> None:
    """Another secret is 401, the same id with another body is 409; both are problem documents, and nothing runs."""
    errand, other = key(), key()
    refused = await deliver(post, ordered(other), f"d-{other}", "another secret of anybody")
    assert (refused.status_code, refused.json()["type"]) == (401, "webhook-unauthorized")
    assert (await deliver(post, ordered(errand), f"d-{errand}")).status_code == 202
    conflict = await deliver(post, ordered(other), f"d-{errand}")
    assert (conflict.status_code, conflict.json()["type"]) == (409, "webhook-conflict")
    assert {answer.headers["content-type"] for answer in (refused, conflict)} == {"application/problem+json"}
    await post.result(f"errand/{errand}")
    assert await post.executions(f"errand/{other}") == 0

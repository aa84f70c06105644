"""Webhooks, end to end: HTTP, outbox, relay, bus, bridge, run."""

from __future__ import annotations

import hashlib
import hmac
import json

import httpx

from store.event_reader import Filter, latest
from tests.acceptance.event_deployment import SECRET, EventDeployment, key


async def deliver(deployment: EventDeployment, body: bytes, identity: str, secret: str = SECRET) -> httpx.Response:
    """Send a body with the seed's signature."""
    signature = f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"
    headers = {"x-webhook-signature": signature, "x-webhook-id": identity, "content-type": "application/json"}
    url = f"http://127.0.0.1:{deployment.settings.extra['SAGA_HTTP_PORT']}/webhooks/shop"
    async with httpx.AsyncClient() as http:
        return await http.post(url, content=body, headers=headers)


def ordered(ticket: str, **more: str) -> bytes:
    """Return the body of an order."""
    return json.dumps({"kind": "ordered", "id": ticket, **more}).encode()


async def test_webhook_starts_one_run_though_it_comes_twice(event_deployment: EventDeployment) -> None:
    """202, by the outbox onto the bus, a run with the key; the same again is a duplicate and no event."""
    ticket = key()
    first = await deliver(event_deployment, ordered(ticket), f"d-{ticket}")
    assert (first.status_code, first.json()["status"]) == (202, "accepted")
    given = (await event_deployment.result(f"ticket/{ticket}"))["event"]
    assert (given["type"], given["source"]) == ("ticket.ordered", "webhook/shop")
    assert given["metadata"]["group_id"] == ticket
    assert given["data"] == {"kind": "ordered", "id": ticket}
    again = await deliver(event_deployment, ordered(ticket), f"d-{ticket}")
    assert (again.status_code, again.json()["status"]) == (200, "duplicate")
    # Events of one key keep their order: what the second delivery might have caused would come before this run's end.
    await deliver(event_deployment, ordered(ticket, note="the next"), f"next-{ticket}")
    await event_deployment.wait_for_executions(f"ticket/{ticket}", executions=2)
    about_it = [row for row in await latest(event_deployment.database, 1000, Filter()) if row.group_key == ticket]
    assert [row.event_type for row in about_it if row.source == "webhook/shop"] == ["ticket.ordered"] * 2


async def test_webhooks_that_are_not_right_are_refused(event_deployment: EventDeployment) -> None:
    """Another secret is 401, the same id with another body is 409; both are problem documents, and nothing runs."""
    ticket, other = key(), key()
    refused = await deliver(event_deployment, ordered(other), f"d-{other}", "another secret of anybody")
    assert (refused.status_code, refused.json()["type"]) == (401, "webhook-unauthorized")
    assert (await deliver(event_deployment, ordered(ticket), f"d-{ticket}")).status_code == 202
    conflict = await deliver(event_deployment, ordered(other), f"d-{ticket}")
    assert (conflict.status_code, conflict.json()["type"]) == (409, "webhook-conflict")
    assert {answer.headers["content-type"] for answer in (refused, conflict)} == {"application/problem+json"}
    await event_deployment.result(f"ticket/{ticket}")
    assert await event_deployment.executions(f"ticket/{other}") == 0

"""Deliveries over real HTTP into a real PostgreSQL."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from bridge.http.app import AppLimits
from bridge.http.event import event_id
from bridge.http.intake import Delivery
from cli.stack.ports import LOOPBACK
from store.database import Database, open_database
from store.webhooks import Acceptance
from tests.bridge.http.endpoint import BODIES, Endpoint, open_endpoint, signed, waiting_events
from tests.bridge.http.webhook_secrets import NOW
from tests.support.proxy import proxy

PROBLEM = "application/problem+json"
GOOD = ("shop", "standard", "git", "pay", "trusting", "small", "custom", "store", "chat", "lab", "bearer")
WITHOUT_ID = ("store", "chat", "bearer")


@pytest.mark.parametrize("source", GOOD)
async def test_app_accepts_a_signed_delivery_once(webhook_endpoint: Endpoint, database: Database, source: str) -> None:
    """202 and an event in the outbox; the same again is 200, `duplicate`, and no further event."""
    first, again = [await webhook_endpoint.post(source, BODIES[source]) for _ in range(2)]
    assert (first.status_code, first.json()) == (202, {"status": "accepted"})
    assert (again.status_code, again.json()) == (200, {"status": "duplicate"})
    (event,) = await waiting_events(database)
    delivery_id = event["metadata"]["webhook"]["delivery_id"]
    assert event["event_id"] == event_id(source, delivery_id)
    by_body = hashlib.sha256(BODIES[source]).hexdigest()
    assert delivery_id == {"pay": "evt_1"}.get(source, by_body if source in WITHOUT_ID else "d-1")
    assert webhook_endpoint.outcomes == [(source, "accepted"), (source, "duplicate")]


async def test_app_makes_the_event_that_the_source_describes(webhook_endpoint: Endpoint, database: Database) -> None:
    """Type, key and data are the source's, and a trace goes on."""
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    body = BODIES["shop"]
    await webhook_endpoint.post("shop", body, signed("shop", body) | {"traceparent": trace})
    await webhook_endpoint.post("pay", BODIES["pay"])
    await webhook_endpoint.post("git", BODIES["git"])
    paid, charged, ping = await waiting_events(database)
    assert (paid["event_type"], paid["source"], paid["timestamp"]) == (
        "shop.paid",
        "webhook/shop",
        "2024-01-15T10:30:00Z",
    )
    assert (paid["metadata"]["group_id"], paid["metadata"]["traceparent"]) == ("A1", trace)
    assert (charged["event_type"], charged["data"]) == ("stripe.charge.succeeded", {"amount": 5})
    assert ping["event_type"] == "github.ping"


async def test_app_accepts_either_of_two_secrets(webhook_endpoint: Endpoint) -> None:
    """While a secret is replaced, the old and the new one are good, and a third is not."""
    for number, reference in enumerate(("env:SHOP", "env:SHOP_NEXT", "env:PAY")):
        body = b'{"kind": "paid", "order": "%d"}' % number
        answer = await webhook_endpoint.post(
            "shop", body, signed("shop", body, reference=reference, delivery_id=f"r{number}")
        )
        assert answer.status_code == (401 if reference == "env:PAY" else 202)


async def test_app_refuses_an_id_with_another_body(webhook_endpoint: Endpoint, database: Database) -> None:
    """409, and the first one stands."""
    others = {
        "shop": b'{"kind": "x", "order": 2}',
        "standard": b"{}",
        "pay": b'{"id": "evt_1", "type": "y", "data": {"object": 1}}',
    }
    for source, other in others.items():
        assert (await webhook_endpoint.post(source, BODIES[source])).status_code == 202
        answer = await webhook_endpoint.post(source, other)
        assert (answer.status_code, answer.json()["type"]) == (409, "webhook-conflict")
        assert answer.headers["content-type"] == PROBLEM
    assert len(await waiting_events(database)) == 3


async def test_app_takes_a_replay_under_a_forged_id_for_what_it_is(
    webhook_endpoint: Endpoint, database: Database
) -> None:
    """An id that is not signed is easily changed in a copied delivery; only a source that trusts it is affected."""
    for source, header in (("shop", "x-webhook-id"), ("git", "x-github-delivery"), ("trusting", "x-webhook-id")):
        body = BODIES[source]
        await webhook_endpoint.post(source, body)
        replayed = await webhook_endpoint.post(source, body, signed(source, body) | {header: "forged"})
        assert replayed.json()["status"] == ("accepted" if source == "trusting" else "duplicate")
    forged = signed("standard", BODIES["standard"]) | {"webhook-id": "forged"}
    assert (await webhook_endpoint.post("standard", BODIES["standard"], forged)).status_code == 401
    assert len(await waiting_events(database)) == 4


async def test_app_refuses_what_is_not_signed_as_it_must_be(webhook_endpoint: Endpoint, database: Database) -> None:
    """One answer for everything: no header, wrong key, stale, from the future, another source's, no such source."""
    body = BODIES["standard"]
    good = signed("standard", body)
    attempts = [
        ("standard", {}),
        ("standard", good | {"webhook-signature": "v1"}),
        ("standard", good | {"webhook-signature": good["webhook-signature"].replace("v1,", "")}),
        ("standard", good | {"webhook-timestamp": "soon"}),
        ("standard", signed("standard", body, now=NOW - timedelta(minutes=6))),
        ("standard", signed("standard", body, now=NOW + timedelta(minutes=6))),
        ("shop", good),
        ("nobody", good),
        ("nobody", signed("shop", body)),
        ("(unknown)", signed("shop", body)),
        ("%00%ff", good),
    ]
    answers = [await webhook_endpoint.post(source, body, headers) for source, headers in attempts]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert len({frozenset(answer.headers.keys()) for answer in answers}) == 1
    document = answers[0].json()
    assert (document["type"], document["status"], "detail" in document) == ("webhook-unauthorized", 401, False)
    assert await waiting_events(database) == []
    assert {source for source, _ in webhook_endpoint.outcomes} == {"standard", "shop", "(unknown)"}


async def test_app_refuses_a_signed_body_that_it_cannot_use(webhook_endpoint: Endpoint, database: Database) -> None:
    """422 after the signature, and 401 before: nobody else learns what our expressions want."""
    for body in (b"no json", b"\xff", b'{"kind": 1}', b'{"kind": "a b", "order": "1"}', b"[" * 5000):
        answer = await webhook_endpoint.post("shop", body)
        assert (answer.status_code, answer.json()["type"]) == (422, "webhook-unusable")
        assert (await webhook_endpoint.post("shop", body, {})).status_code == 401
    assert await waiting_events(database) == []


async def test_app_refuses_large_and_compressed_bodies(webhook_endpoint: Endpoint) -> None:
    """413 and 415, with the connection closed behind them."""
    large = await webhook_endpoint.post("small", b" " * 101)
    assert (large.status_code, large.json()["type"], large.json()["detail"]) == (
        413,
        "webhook-too-large",
        "100 bytes are allowed.",
    )
    assert large.headers["connection"] == "close"
    body = BODIES["shop"]
    packed = await webhook_endpoint.post("shop", body, signed("shop", body) | {"content-encoding": "gzip"})
    assert (packed.status_code, packed.json()["type"]) == (415, "webhook-encoding")
    assert (await webhook_endpoint.post("small", b"{}" + b" " * 98)).status_code == 202


async def test_app_accepts_one_of_fifty_at_once(webhook_endpoint: Endpoint, database: Database) -> None:
    """Fifty identical deliveries at the same time: one 202, the others `duplicate`, one row, one event."""
    body = BODIES["shop"]
    answers = await asyncio.gather(*(webhook_endpoint.post("shop", body) for _ in range(50)))
    assert sorted(answer.status_code for answer in answers) == [200] * 49 + [202]
    assert len(await waiting_events(database)) == 1
    (row,) = await database.fetch("select count(*) as n from saga.webhook_deliveries")
    assert row["n"] == 1


async def test_app_asks_to_come_again_while_the_database_is_away(postgres_url: str) -> None:
    """503 with Retry-After, and the next try is accepted once PostgreSQL is back."""
    parts = urlsplit(postgres_url)
    async with proxy(parts.hostname or LOOPBACK, parts.port or 5432) as between:
        url = parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@{LOOPBACK}:{between.port}").geturl()
        async with open_database(url) as database, open_endpoint(database) as webhook_endpoint:
            between.cut()
            away = await webhook_endpoint.post("shop", BODIES["shop"])
            assert (away.status_code, away.json()["type"]) == (503, "webhook-unavailable")
            assert int(away.headers["retry-after"]) > 0
            assert away.headers["content-type"] == PROBLEM
            between.mend()
            assert (await webhook_endpoint.post("shop", BODIES["shop"])).status_code == 202


async def test_app_asks_to_come_again_where_no_secret_can_be_had(webhook_endpoint: Endpoint) -> None:
    """A missing or a weak secret is our mistake: nothing is accepted, and the sender keeps the delivery."""
    answer = await webhook_endpoint.post("lost", b"{}", signed("shop", b"{}"))
    assert (answer.status_code, answer.json()["type"]) == (503, "webhook-unavailable")
    assert b"MISSING" not in answer.content


class Blocked:
    """An intake that takes nothing before it is let go, and then fails as nobody foresaw."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.let_go = asyncio.Event()

    async def accept(self, delivery: Delivery) -> Acceptance:
        self.entered.set()
        await self.let_go.wait()
        raise ZeroDivisionError("a secret detail")


@pytest.fixture
async def blocked() -> AsyncIterator[Blocked]:
    """An intake that blocks."""
    yield Blocked()


async def test_app_never_answers_with_500(blocked: Blocked) -> None:
    """What nobody foresaw is 503 for the sender, without a word about it."""
    blocked.let_go.set()
    async with open_endpoint(blocked) as webhook_endpoint:
        answer = await webhook_endpoint.post("shop", BODIES["shop"])
    assert (answer.status_code, answer.json()["type"]) == (503, "webhook-unavailable")
    assert b"detail" not in answer.content
    assert webhook_endpoint.outcomes == [("shop", "unexpected")]


async def test_app_takes_a_limited_number_at_once(blocked: Blocked) -> None:
    """Too many deliveries at once are answered with retry-after, and the probes still answer."""
    async with open_endpoint(blocked, limits=AppLimits(deliveries=1)) as webhook_endpoint:
        first = asyncio.create_task(webhook_endpoint.post("shop", BODIES["shop"]))
        await blocked.entered.wait()
        second = await webhook_endpoint.post("shop", BODIES["shop"])
        assert (second.status_code, second.json()["type"]) == (503, "webhook-busy")
        assert second.headers["retry-after"] == "1"
        assert (await webhook_endpoint.client.get("/healthz")).status_code == 200
        blocked.let_go.set()
        assert (await first).status_code == 503
        assert (await webhook_endpoint.post("shop", BODIES["shop"])).json()["type"] == "webhook-unavailable"


async def test_app_waits_for_the_intake_only_so_long(blocked: Blocked) -> None:
    """A database that hangs is one that is away."""
    async with open_endpoint(blocked, limits=AppLimits(patience=timedelta(milliseconds=50))) as webhook_endpoint:
        assert (await webhook_endpoint.post("shop", BODIES["shop"])).status_code == 503


async def test_app_says_how_the_process_is(database: Database) -> None:
    """Alive is one question, ready another, part by part."""
    parts = {"broker": True, "database": False}

    async def ready() -> dict[str, bool]:
        return parts

    async with open_endpoint(database, ready=ready) as webhook_endpoint:
        assert (await webhook_endpoint.client.get("/healthz")).json() == {"status": "ok"}
        waiting = await webhook_endpoint.client.get("/readyz")
        assert (waiting.status_code, waiting.json()) == (503, {"ready": False, "parts": parts})
        parts["database"] = True
        assert (await webhook_endpoint.client.get("/readyz")).status_code == 200


async def test_app_is_not_ready_where_that_cannot_be_told(database: Database) -> None:
    """A probe never sees a 500 either."""

    async def unknown() -> dict[str, bool]:
        raise ZeroDivisionError

    async with open_endpoint(database, ready=unknown) as webhook_endpoint:
        answer = await webhook_endpoint.client.get("/readyz")
    assert (answer.status_code, answer.headers["content-type"]) == (503, PROBLEM)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/webhooks/shop", 405),
        ("PUT", "/webhooks/shop", 405),
        ("POST", "/webhooks", 404),
        ("POST", "/webhooks/", 404),
        ("POST", "/webhooks/shop/", 404),
        ("POST", "/webhooks/a/b", 404),
        ("GET", "/", 404),
        ("GET", "/docs", 404),
        ("GET", "/openapi.json", 404),
    ],
)
async def test_app_has_nothing_else(webhook_endpoint: Endpoint, method: str, path: str, status: int) -> None:
    """What is not there is said in a problem document too."""
    answer = await webhook_endpoint.client.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
    assert answer.json()["status"] == status

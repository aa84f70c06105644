"""A webhook endpoint for tests: a real server on the loopback interface, with a real PostgreSQL."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

import httpx

from bridge.http.app import AppLimits, Ready, make_app
from bridge.http.intake import Intake, OutboxIntake
from bridge.http.server import ServerLimits, serving
from bridge.http.sources import Source, read_sources
from cli.stack.ports import LOOPBACK
from store.database import Database
from tests.bridge.http.webhook_secrets import NOW, SECRETS, resolve

SOURCES = """
sources:
  shop: {scheme: saga, secrets: [env:SHOP, env:SHOP_NEXT], type: "shop.${ body.kind }", key: "${ body.order }"}
  standard: {scheme: standard-webhooks, secrets: [env:STANDARD], type: standard.sent}
  git: {scheme: github, secrets: [env:GIT], type: 'github.${ headers["x-github-event"] }'}
  pay: {scheme: stripe, secrets: [env:PAY], type: "stripe.${ body.type }", data: "${ body.data.object }"}
  trusting: {scheme: saga, secrets: [env:SHOP], type: trusting.sent, trust_id: true}
  small: {scheme: saga, secrets: [env:SHOP], type: small.sent, max_body: 100}
  store: {scheme: shopify, secrets: [env:SHOP], type: store.sent, key: "${ body.?order.orValue(null) }"}
  chat: {scheme: slack, secrets: [env:SHOP], type: "chat.${ body.type }", answer_challenge: true}
  lab: {scheme: gitlab, secrets: [env:SHOP], type: lab.sent, data: "${ headers }"}
  custom:
    scheme: hmac
    hmac:
      header: X-Sig
      encoding: base64
      prefix: v9=
      signed: "a.{id}.{timestamp}/{body}!"
      timestamp_header: X-Time
      id_header: X-Id
    secrets: [env:SHOP]
    type: custom.sent
  bearer: {scheme: token, token: {header: authorization, prefix: "Bearer "}, secrets: [env:SHOP], type: bearer.sent}
  lost: {scheme: saga, secrets: [env:MISSING, env:WEAK], type: lost.sent}
"""

BODIES: Mapping[str, bytes] = {
    "shop": b'{"kind": "paid", "order": "A1"}',
    "standard": b'{"test": 2432232314}',
    "git": b'{"zen": "Speak like a human."}',
    "pay": b'{"id": "evt_1", "type": "charge.succeeded", "data": {"object": {"amount": 5}}, "pending_webhooks": 2}',
    "trusting": b'{"a": 1}',
    "small": b"{}",
    "store": b'{"order": 5}',
    "chat": b'{"type": "message", "event_id": "Ev1"}',
    "lab": b'{"object_kind": "push"}',
    "custom": b'{"a": "\xc3\xa9"}',
    "bearer": b'{"b": 2}',
    "lost": b"{}",
}
"""A good body for each source."""


@cache
def example_sources() -> Mapping[str, Source]:
    """Return the sources of the tests."""
    found = read_sources("webhooks.yaml", SOURCES)
    assert not found.diagnostics
    return found.by_name


def signed(
    source: str, body: bytes, *, reference: str = "", delivery_id: str = "d-1", now: datetime = NOW
) -> dict[str, str]:
    """Return the headers with which a source would send a body."""
    chosen = example_sources()[source]
    scheme = chosen.scheme
    key = scheme.key(SECRETS[reference or next(name for name in chosen.secrets if name in SECRETS)])
    return scheme.sign(body, key, delivery_id, now)


@dataclass
class Endpoint:
    """An endpoint that runs, and a client that speaks to it."""

    port: int
    client: httpx.AsyncClient
    outcomes: list[tuple[str, str]] = field(default_factory=list)

    async def post(self, source: str, body: bytes, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Send a delivery with these headers, or correctly signed."""
        chosen = signed(source, body) if headers is None else headers
        return await self.client.post(f"/webhooks/{source}", content=body, headers=chosen)

    async def send(self, request: bytes) -> bytes:
        """Send bytes as they are and return all that comes until the connection is closed."""
        reader, writer = await asyncio.open_connection(LOOPBACK, self.port)
        try:
            writer.write(request)
            await writer.drain()
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()


async def _all_ready() -> Mapping[str, bool]:
    return {}


@asynccontextmanager
async def open_endpoint(
    database: Database | Intake,
    *,
    clock: Callable[[], datetime] = lambda: NOW,
    limits: AppLimits | None = None,
    server: ServerLimits | None = None,
    ready: Ready = _all_ready,
) -> AsyncIterator[Endpoint]:
    """Run the endpoint with the sources of the tests."""
    sources, outcomes = example_sources(), list[tuple[str, str]]()
    app = make_app(
        lambda: sources,
        OutboxIntake(database) if isinstance(database, Database) else database,
        resolve=resolve,
        clock=clock,
        ready=ready,
        observe=lambda source, outcome: outcomes.append((source, outcome)),
        limits=limits,
    )
    async with (
        serving(app, LOOPBACK, 0, server) as port,
        httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{port}", timeout=30, trust_env=False) as client,
    ):
        yield Endpoint(port, client, outcomes)


async def waiting_events(database: Database) -> list[dict[str, Any]]:
    """Return the events in the outbox, in order."""
    rows = await database.fetch("select envelope from saga.outbox order by id")
    return [json.loads(row["envelope"]) for row in rows]

"""Deliveries as the senders of the world make them, over real HTTP into a real PostgreSQL."""

from __future__ import annotations

import json
from urllib.parse import quote_plus, urlencode

import pytest

from bridge.http.body import parse_body
from bridge.http.errors import DeliveryUnusableError
from store.database import Database
from tests.bridge.http.endpoint import BODIES, Endpoint, signed, waiting_events
from tests.bridge.http.webhook_secrets import SECRETS

FORM = {"content-type": "application/x-www-form-urlencoded"}
ZEN = {"zen": "Speak like a human. & so on + é %41"}


def form(document: object, field: str = "payload") -> bytes:
    """Return a form with a document in one field."""
    return urlencode({field: json.dumps(document)}).encode()


@pytest.mark.parametrize("source", ["git", "chat", "store", "shop"])
async def test_app_reads_a_form_with_a_payload(webhook_endpoint: Endpoint, database: Database, source: str) -> None:
    """What GitHub sends as a form, and Slack where somebody presses a button; it is signed as it came."""
    document = {**ZEN, "type": "block_actions", "kind": "paid", "order": "A1"}
    answer = await webhook_endpoint.post(source, form(document), signed(source, form(document)) | FORM)
    assert answer.status_code == 202
    (event,) = await waiting_events(database)
    assert event["data"] == document


async def test_app_checks_the_signature_over_the_form_as_it_came(webhook_endpoint: Endpoint) -> None:
    """A signature over the JSON inside is none over the form."""
    answer = await webhook_endpoint.post("git", form(ZEN), signed("git", json.dumps(ZEN).encode()) | FORM)
    assert answer.status_code == 401


async def test_app_asks_the_body_and_not_its_type(webhook_endpoint: Endpoint, database: Database) -> None:
    """A type is not signed: JSON with a form in one of its texts stays JSON, whatever the header says."""
    hidden = json.dumps({"title": f"&payload={quote_plus(json.dumps({'forged': 1}))}&"}).encode()
    assert (await webhook_endpoint.post("git", hidden, signed("git", hidden) | FORM)).status_code == 202
    (event,) = await waiting_events(database)
    assert event["data"] == json.loads(hidden)


@pytest.mark.parametrize(
    "body",
    [
        b"payload=",
        b"payload=%",
        b"payload=%7B%7",
        b"payload=%ff%fe",
        b"payload=1&payload=2",
        b"payload={}&x=1",
        b"x=1&payload={}",
        b"PAYLOAD={}",
        b"payload=payload%3D{}",
        b"payload=" + b"[" * 5000,
        b"payload=NaN",
        b"%",
        b"&",
    ],
)
def test_parse_body_refuses_other_forms(body: bytes) -> None:
    """One field of that name is a body; all else is none, and the message says what would be."""
    with pytest.raises(DeliveryUnusableError):
        parse_body(body, may_be_form=True)


@pytest.mark.parametrize("source", ["standard", "pay", "custom"])
async def test_app_reads_no_form_behind_an_id(webhook_endpoint: Endpoint, source: str) -> None:
    """Where an id is signed in front of the body, the beginning of a body could be moved into the id of a copy."""
    answer = await webhook_endpoint.post(source, form(ZEN), signed(source, form(ZEN)) | FORM)
    assert (answer.status_code, answer.json()["type"]) == (422, "webhook-unusable")
    assert "JSON" in answer.json()["detail"] and "payload" not in answer.json()["detail"]


async def test_app_takes_a_delivery_of_svix_once_under_both_names(
    webhook_endpoint: Endpoint, database: Database
) -> None:
    """The names of the headers are no part of the delivery."""
    headers = signed("standard", BODIES["standard"])
    svix = {name.replace("webhook-", "svix-"): value for name, value in headers.items()}
    first = await webhook_endpoint.post("standard", BODIES["standard"], svix)
    again = await webhook_endpoint.post("standard", BODIES["standard"], headers)
    assert (first.status_code, again.status_code) == (202, 200)
    assert len(await waiting_events(database)) == 1


async def test_app_answers_a_challenge_that_is_signed(webhook_endpoint: Endpoint, database: Database) -> None:
    """The text comes back, as often as it is asked; no event, and nothing for who did not sign."""
    challenge = "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"
    body = json.dumps({"token": "x", "challenge": challenge, "type": "url_verification"}).encode()
    for _ in range(2):
        answer = await webhook_endpoint.post("chat", body)
        assert (answer.status_code, answer.json()) == (200, {"challenge": challenge})
        assert answer.headers["content-type"] == "application/json"
    assert (await webhook_endpoint.post("chat", body, {})).status_code == 401
    assert await waiting_events(database) == []
    assert webhook_endpoint.outcomes[0] == ("chat", "challenged")


async def test_app_answers_no_challenge_unless_asked_to(webhook_endpoint: Endpoint, database: Database) -> None:
    """Elsewhere it is a delivery like any other."""
    body = b'{"challenge": "abc", "type": "url_verification"}'
    answer = await webhook_endpoint.post("store", body)
    assert (answer.status_code, answer.json()) == (202, {"status": "accepted"})
    assert len(await waiting_events(database)) == 1


@pytest.mark.parametrize("challenge", ["null", "5", '""', '"a b"', '"<script>"', '"\\u00e9"', f'"{"a" * 501}"'])
async def test_app_reflects_nothing_but_a_short_visible_text(webhook_endpoint: Endpoint, challenge: str) -> None:
    """What is answered is JSON of one text, and what could be more is refused."""
    body = f'{{"type": "url_verification", "challenge": {challenge}}}'.encode()
    answer = await webhook_endpoint.post("chat", body)
    wanted = 200 if challenge == '"<script>"' else 422
    assert (answer.status_code, answer.headers["content-type"]) == (
        wanted,
        "application/json" if wanted == 200 else "application/problem+json",
    )


@pytest.mark.parametrize(("body", "key"), [(b'{"order": 5}', "5"), (b'{"other": 5}', None), (b'{"order": null}', None)])
async def test_app_needs_no_key(webhook_endpoint: Endpoint, database: Database, body: bytes, key: str | None) -> None:
    """A `key` that gives null for a delivery leaves its event without one."""
    assert (await webhook_endpoint.post("store", body)).status_code == 202
    (event,) = await waiting_events(database)
    assert event["metadata"].get("group_id") == key


async def test_expressions_never_see_a_token(webhook_endpoint: Endpoint, database: Database) -> None:
    """All headers may become data; the one that is a credential may not."""
    answer = await webhook_endpoint.post("lab", BODIES["lab"])
    assert answer.status_code == 202
    (event,) = await waiting_events(database)
    assert "idempotency-key" in event["data"] and "x-gitlab-token" not in event["data"]
    assert SECRETS["env:SHOP"] not in json.dumps(event)


@pytest.mark.parametrize(
    ("source", "of", "reason", "hint"),
    [
        ("shop", "git", "missing-header x-webhook-signature", "`scheme: github`"),
        ("shop", "standard", "missing-header x-webhook-signature", "`scheme: standard-webhooks`"),
        ("git", "chat", "missing-header", "`scheme: slack`"),
        ("standard", "store", "missing-header", "`scheme: shopify`"),
        ("shop", "custom", "missing-header", "`hmac`"),
        ("nobody", "git", "missing-header", "no source in webhooks.yaml"),
    ],
)
async def test_log_says_which_setting_cures_a_refusal(
    webhook_endpoint: Endpoint, capsys: pytest.CaptureFixture[str], source: str, of: str, reason: str, hint: str
) -> None:
    """The operator reads which scheme it looks like; the sender reads the one answer for all."""
    answer = await webhook_endpoint.post(source, BODIES[of], signed(of, BODIES[of]))
    assert (answer.status_code, answer.json().keys()) == (401, {"type", "title", "status"})
    logged = capsys.readouterr().out
    assert reason in logged and hint in logged
    assert not [secret for secret in SECRETS.values() if secret in logged]


async def test_log_names_the_settings_of_hmac(webhook_endpoint: Endpoint, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the signature differs, it is the secret or what is signed; where the time does, the clocks."""
    headers = signed("custom", BODIES["custom"])
    await webhook_endpoint.post("custom", b"{}", headers)
    assert "`signed`" in capsys.readouterr().out
    await webhook_endpoint.post("custom", BODIES["custom"], headers | {"x-time": "1"})
    assert "`tolerance`" in capsys.readouterr().out

"""The schemes that a source configures itself, and what is said about a configuration that would protect less."""

from __future__ import annotations

import pytest

from bridge.http.signatures.keyed_hash import KeyedHash, Member
from bridge.http.signatures.shared_token import SharedToken
from bridge.http.sources import read_sources
from tests.bridge.http.test_sources import complaints, source

REST = "secrets: [env:A]\n    type: a.b"


def configured(settings: str, scheme: str = "hmac") -> str:
    """Return a file whose source has these settings in line 4."""
    return source(f"scheme: {scheme}\n    {scheme}: {settings}\n    {REST}")


def test_read_sources_reads_hmac() -> None:
    """Each setting has its effect, and a header alone is enough."""
    text = configured(
        '{header: X-Sig, encoding: base64, prefix: "v1=", signed: "v0:{timestamp}:{id}.{body}", '
        "timestamp_header: X-Time, id_header: X-Id}"
    )
    assert read_sources("w", text).by_name["shop"].scheme == KeyedHash(
        "x-sig",
        encoding="base64",
        prefix="v1=",
        signed=(b"v0:", Member.TIMESTAMP, b":", Member.ID, b".", Member.BODY),
        timestamp_header="x-time",
        id_header="x-id",
        signs_id=True,
        reads_forms=False,
    )
    assert read_sources("w", configured("{header: x-sig}")).by_name["shop"].scheme == KeyedHash("x-sig")


def test_read_sources_reads_token() -> None:
    """A header, and what stands before the token."""
    text = configured('{header: Authorization, prefix: "Bearer ", id_header: x-id}', "token")
    assert read_sources("w", text).by_name["shop"].scheme == SharedToken(
        "authorization", prefix="Bearer ", id_header="x-id"
    )


@pytest.mark.parametrize(
    ("settings", "once_by_body"),
    [
        ("{header: x-sig}", False),
        ("{header: x-sig, id_header: x-id}", True),
        ('{header: x-sig, id_header: x-id, signed: "{id}.{body}"}', False),
    ],
)
def test_once_by_body_is_for_ids_that_are_not_signed(settings: str, once_by_body: bool) -> None:
    """An id that is the body, or that is signed, cannot be changed in a copy of a delivery."""
    assert read_sources("w", configured(settings)).by_name["shop"].once_by_body == once_by_body


@pytest.mark.parametrize(
    ("settings", "code", "says"),
    [
        ("{}", "missing-key", "'header'"),
        ("[]", "wrong-type", "a mapping"),
        ("{header: x-sig, encodin: hex}", "unknown-key", "did you mean 'encoding'?"),
        ("{header: x sig}", "bad-value", "'header' cannot be"),
        ("{header: content-length}", "bad-value", "'header' cannot be"),
        ('{header: ""}', "wrong-type", "a text"),
        ("{header: x-sig, encoding: base32}", "bad-value", "base64"),
        ('{header: x-sig, prefix: "v1,"}', "bad-value", "a comma"),
        ("{header: x-sig, signed: {body}}", "wrong-type", "quotation marks"),
        ('{header: x-sig, signed: "{bodi}"}', "bad-value", "did you mean 'body'?"),
        ('{header: x-sig, signed: "{body"}', "bad-value", "no single brace"),
        ('{header: x-sig, signed: "all"}', "bad-value", "{body} once"),
        ('{header: x-sig, signed: "{body} {body}"}', "bad-value", "{body} once"),
        ('{header: x-sig, signed: "{id}{body}", id_header: x-id}', "bad-value", "needs a text between"),
        ('{header: x-sig, signed: "{timestamp}.{body}"}', "missing-key", "'timestamp_header'"),
        ('{header: x-sig, signed: "{id}.{body}"}', "missing-key", "'id_header'"),
        ("{header: x-sig, timestamp_header: x-time}", "conflicting-keys", "no {timestamp}"),
        ("{header: x-sig, id_header: X-Sig}", "bad-value", "another key has"),
        (f'{{header: x-sig, signed: "{"a" * 200}{{body}}"}}', "out-of-range", "at most 200"),
    ],
)
def test_read_sources_says_what_is_wrong_with_hmac(settings: str, code: str, says: str) -> None:
    """Each mistake has its line, its code and its cure."""
    found = complaints(configured(settings))
    assert [(each[0], each[1]) for each in found] == [(4, code)]
    assert says in found[0][2]


@pytest.mark.parametrize(
    ("lines", "line", "code", "says"),
    [
        ("scheme: hmac\n    {}", 3, "missing-key", "'hmac'"),
        ("scheme: token\n    {}", 3, "missing-key", "'token'"),
        ("scheme: saga\n    hmac: {{header: x}}\n    {}", 4, "conflicting-keys", "`scheme: hmac`"),
        ("scheme: token\n    token: {{header: x, signed: x}}\n    {}", 4, "unknown-key", "'signed'"),
        ("scheme: token\n    token: {{header: x}}\n    {}\n    tolerance: 5m", 7, "conflicting-keys", "sign the time"),
        ("scheme: gitlab\n    {}\n    answer_challenge: true", 6, "conflicting-keys", "signs nothing"),
        ("scheme: shopify\n    {}\n    trust_id: true", 6, "conflicting-keys", "signs the id"),
        ("scheme: svix\n    {}", 3, "bad-value", "standard-webhooks"),
    ],
)
def test_read_sources_says_what_does_not_go_together(lines: str, line: int, code: str, says: str) -> None:
    """Settings of another scheme, and those that would do nothing."""
    found = complaints(source(lines.format(REST)))
    assert [(each[0], each[1]) for each in found] == [(line, code)]
    assert says in found[0][2]

"""Each scheme accepts what its own sender signs, and nothing else."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.http.errors import DeliveryRefusedError, DeliveryUnusableError, WeakSecretError
from bridge.http.headers import Headers
from bridge.http.signatures.mac import MOST_SIGNATURES
from bridge.http.signatures.schemes import SCHEMES
from contracts.json import Json
from tests.bridge.http.webhook_secrets import NOW, SECRETS

TOLERANCE = timedelta(minutes=5)
BODY = b'{"id": "evt_1", "total": 30}'
OLD = {"saga": "env:SHOP", "standard-webhooks": "env:STANDARD", "github": "env:GIT", "stripe": "env:PAY"}
SIGNATURE = {
    "saga": "x-webhook-signature",
    "standard-webhooks": "webhook-signature",
    "github": "x-hub-signature-256",
    "stripe": "stripe-signature",
}
NAMES = sorted(SCHEMES)
TIMED = sorted(name for name in NAMES if SCHEMES[name].signs_time)


def key_for(name: str) -> bytes:
    """Return the key of a scheme's example secret."""
    return SCHEMES[name].key(SECRETS[OLD[name]])


def verify(name: str, headers: dict[str, str], body: bytes = BODY, keys: tuple[bytes, ...] = ()) -> None:
    """Verify a delivery now."""
    SCHEMES[name].verify(Headers.of(headers), body, keys or (key_for(name),), NOW, TOLERANCE)


def signed(name: str, body: bytes = BODY, now: datetime = NOW) -> dict[str, str]:
    """Sign a delivery."""
    return SCHEMES[name].sign(body, key_for(name), "d-1", now)


PUBLISHED = [
    (
        "standard-webhooks",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        b'{"test": 2432232314}',
        1_614_265_330,
        {
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        },
    ),
    (
        "github",
        "It's a Secret to Everybody",
        b"Hello, World!",
        0,
        {
            "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
            "x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        },
    ),
    (
        "stripe",  # computed with `openssl dgst -sha256 -hmac`
        "whsec_test_secret",
        b'{"id":"evt_1","object":"event","pending_webhooks":2}',
        1_492_774_577,
        {
            "stripe-signature": "t=1492774577,"
            "v1=a6f0fa059946aeca8ed490ca050055e9cdf57296b4bec31d3429a6f9e811e294,"
            "v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39"
        },
    ),
    (
        "saga",  # computed with `openssl dgst -sha256 -hmac`
        "a-secret-of-the-seed",
        b'{"order_id":"A1","total":30}',
        0,
        {"x-webhook-signature": "sha256=2e54075b914f0a83b3e5f811829f49ebd5a032985336b06c329650c41cc84ea2"},
    ),
]


@pytest.mark.parametrize(("name", "secret", "body", "moment", "headers"), PUBLISHED, ids=[row[0] for row in PUBLISHED])
def test_scheme_accepts_what_others_signed(
    name: str, secret: str, body: bytes, moment: int, headers: dict[str, str]
) -> None:
    """Examples from the documents of the schemes, or made with another program, are right; one bit less is not."""
    scheme, now = SCHEMES[name], datetime.fromtimestamp(moment, UTC)
    scheme.verify(Headers.of(headers), body, [scheme.key(secret)], now, TOLERANCE)
    with pytest.raises(DeliveryRefusedError):
        scheme.verify(Headers.of(headers), body[:-1] + bytes([body[-1] ^ 1]), [scheme.key(secret)], now, TOLERANCE)


@pytest.mark.parametrize("name", NAMES)
def test_scheme_accepts_what_it_signs(name: str) -> None:
    """What `sign` returns is what `verify` takes, with either of two keys."""
    verify(name, signed(name))
    other = bytes(32)
    verify(name, signed(name), keys=(other, key_for(name)))
    verify(name, signed(name), keys=(key_for(name), other))
    with pytest.raises(DeliveryRefusedError):
        verify(name, signed(name), keys=(other,))


@pytest.mark.parametrize("name", NAMES)
def test_scheme_accepts_one_right_signature_among_several(name: str) -> None:
    """A sender that rotates its secret signs with both."""
    headers = signed(name)
    right = headers[SIGNATURE[name]]
    wrong = {
        "saga": f"sha256={'0' * 64}, {right}",
        "github": f"sha1=00,sha256={'0' * 64},{right}",
        "standard-webhooks": f"v1a,AAAA v1,{base64.b64encode(bytes(32)).decode()} {right}",
        "stripe": f"{right},v1={'0' * 64},v0=00",
    }
    verify(name, headers | {SIGNATURE[name]: wrong[name]})


@pytest.mark.parametrize("name", NAMES)
def test_scheme_refuses_a_body_that_was_written_again(name: str) -> None:
    """The same JSON in other bytes is another body."""
    again = json.dumps(json.loads(BODY), separators=(",", ":")).encode()
    assert json.loads(again) == json.loads(BODY)
    with pytest.raises(DeliveryRefusedError):
        verify(name, signed(name), again)


@pytest.mark.parametrize("name", TIMED)
@pytest.mark.parametrize(
    ("away", "reason"), [(timedelta(seconds=-301), "stale"), (timedelta(seconds=301), "from-the-future")]
)
def test_scheme_refuses_another_time(name: str, away: timedelta, reason: str) -> None:
    """A signature is good for five minutes in both directions."""
    verify(name, signed(name, now=NOW + away * 0.99))
    with pytest.raises(DeliveryRefusedError) as refused:
        verify(name, signed(name, now=NOW + away))
    assert refused.value.reason == reason


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "v1",
        "v1,",
        "v1=",
        "sha256",
        "sha256=",
        "sha1=0000",
        "=,=",
        ",,,,",
        "t=,v1=",
        "t=1,t=2,v1=00",
        "t=-1,v1=00",
        "t=99999999999999999999,v1=00",
        "t=٣,v1=00".encode().decode("latin-1"),
        "\xff\xfe",
        "v1,not base64!",
        "sha256=zz",
    ],
)
def test_scheme_refuses_a_malformed_signature(name: str, value: str) -> None:
    """Whatever stands in the header, it is a refusal and no other error."""
    with pytest.raises(DeliveryRefusedError):
        verify(name, signed(name) | {SIGNATURE[name]: value})


@pytest.mark.parametrize("name", NAMES)
def test_scheme_refuses_a_missing_or_repeated_header(name: str) -> None:
    """Each header that decides must be there, once."""
    scheme, key, headers = SCHEMES[name], key_for(name), signed(name)
    needed = [header for header in headers if header not in ("x-github-event", "x-webhook-id")]
    for header in needed:
        rest = {other: value for other, value in headers.items() if other != header}
        with pytest.raises(DeliveryRefusedError):
            verify(name, rest)
        twice = Headers([*((k.encode(), v.encode()) for k, v in headers.items()), (header.encode(), b"x")])
        with pytest.raises(DeliveryRefusedError):
            scheme.verify(twice, BODY, [key], NOW, TOLERANCE)


@pytest.mark.parametrize("name", NAMES)
def test_scheme_refuses_too_many_signatures(name: str) -> None:
    """Nobody makes us compare for ever, not even with the right one among them."""
    headers = signed(name)
    one = headers[SIGNATURE[name]]
    separator = " " if name == "standard-webhooks" else ","
    padding = "v1=00" if name == "stripe" else one
    with pytest.raises(DeliveryRefusedError):
        verify(name, headers | {SIGNATURE[name]: separator.join([one, *[padding] * MOST_SIGNATURES])})


@pytest.mark.parametrize("timestamp", ["", "x", "1e9", "0x10", "1614265330.0", "+1", "-1", "1" * 13])
def test_standard_refuses_a_malformed_time(timestamp: str) -> None:
    """A time is digits and nothing else, even where the signature over it is right."""
    scheme, key = SCHEMES["standard-webhooks"], key_for("standard-webhooks")
    headers = scheme.sign(BODY, key, "d-1", NOW) | {"webhook-timestamp": timestamp}
    with pytest.raises(DeliveryRefusedError):
        verify("standard-webhooks", headers)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_scheme_refuses_noise(name: str, data: st.DataObject) -> None:
    """Random bytes in every header never pass, and never raise anything but a refusal."""
    noise = st.binary(max_size=80)
    names = [*signed(name), *data.draw(st.lists(st.sampled_from(["x-webhook-id", "x-github-event"]), max_size=2))]
    raw = [(header.encode(), data.draw(noise)) for header in names]
    body = data.draw(st.binary(max_size=100))
    with pytest.raises(DeliveryRefusedError):
        SCHEMES[name].verify(Headers(raw), body, [key_for(name)], NOW, TOLERANCE)


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("saga", ""),
        ("saga", "fifteen-letters"),
        ("github", ""),
        ("stripe", "whsec_"),
        ("standard-webhooks", "whsec_"),
        ("standard-webhooks", "whsec_c2hvcnQ="),
        ("standard-webhooks", "not base64 at all"),
        ("standard-webhooks", "ключ-не-base64"),
    ],
)
def test_key_refuses_a_weak_secret(name: str, secret: str) -> None:
    """A secret that could be guessed protects nothing, an empty one least of all; it is not repeated in the error."""
    with pytest.raises(WeakSecretError) as refused:
        SCHEMES[name].key(secret)
    assert not secret or secret not in str(refused.value)


def test_plain_takes_its_id_from_the_header_or_the_body() -> None:
    """Without a header, the same body is the same delivery."""
    plain = SCHEMES["saga"]
    assert plain.identify(Headers.of({"x-webhook-id": "d-7"}), BODY, {}).id == "d-7"
    alone = plain.identify(Headers.of({}), BODY, {})
    assert alone == plain.identify(Headers.of({}), BODY, {})
    assert alone.id != plain.identify(Headers.of({}), BODY + b" ", {}).id
    with pytest.raises(DeliveryRefusedError):
        plain.identify(Headers.of({"x-webhook-id": "a b"}), BODY, {})


def test_stripe_takes_its_id_from_the_body() -> None:
    """Two attempts that differ in how many deliveries are pending are one."""
    stripe = SCHEMES["stripe"]
    first, second, other = (
        stripe.identify(Headers.of({}), b"", {"id": "evt_1", "n": n, "pending_webhooks": p})
        for n, p in ((1, 2), (1, 1), (2, 2))
    )
    assert first == second
    assert (first.id, first.digest != other.digest) == ("evt_1", True)
    wrong: list[Json] = [[], {}, {"id": 7}, {"id": ""}, {"id": "a\x00b"}, {"id": "\ud800"}, {"id": "x" * 201}]
    for document in wrong:
        with pytest.raises(DeliveryUnusableError):
            stripe.identify(Headers.of({}), b"", document)

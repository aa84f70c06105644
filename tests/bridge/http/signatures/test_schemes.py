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
from bridge.http.signatures.keyed_hash import KeyedHash, Member
from bridge.http.signatures.mac import MOST_SIGNATURES
from bridge.http.signatures.scheme import Scheme
from bridge.http.signatures.schemes import SCHEMES
from bridge.http.signatures.shared_token import SharedToken
from contracts.json import Json
from tests.bridge.http.webhook_secrets import NOW, SECRETS

TOLERANCE = timedelta(minutes=5)
BODY = b'{"id": "evt_1", "total": 30}'
EXAMPLES: dict[str, Scheme] = {
    **SCHEMES,
    "hmac": KeyedHash(
        "x-sig",
        encoding="base64",
        prefix="v9=",
        signed=(b"a.", Member.ID, b".", Member.TIMESTAMP, b"/", Member.BODY, b"!"),
        timestamp_header="x-time",
        id_header="x-id",
        reads_forms=False,
    ),
    "token": SharedToken("authorization", prefix="Bearer "),
}
"""Every scheme, and one as a source may configure it."""

OLD = {"standard-webhooks": "env:STANDARD", "github": "env:GIT", "stripe": "env:PAY"}
NAMES = sorted(EXAMPLES)
TIMED = sorted(name for name in NAMES if EXAMPLES[name].signs_time)
SIGNING = sorted(name for name in NAMES if not EXAMPLES[name].sends_secret)
OPTIONAL = ("x-github-event", "x-webhook-id", "idempotency-key")
"""Headers that a delivery may lack."""


def key_for(name: str) -> bytes:
    """Return the key of a scheme's example secret."""
    return EXAMPLES[name].key(SECRETS[OLD.get(name, "env:SHOP")])


def verify(name: str, headers: dict[str, str], body: bytes = BODY, keys: tuple[bytes, ...] = ()) -> None:
    """Verify a delivery now."""
    EXAMPLES[name].verify(Headers.of(headers), body, keys or (key_for(name),), NOW, TOLERANCE)


def signed(name: str, body: bytes = BODY, now: datetime = NOW) -> dict[str, str]:
    """Sign a delivery."""
    return EXAMPLES[name].sign(body, key_for(name), "d-1", now)


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
    (
        "shopify",  # computed with `openssl dgst -sha256 -hmac`
        "shopify-app-secret-key",
        b'{"id":820982911946154508}',
        0,
        {"x-shopify-hmac-sha256": "7cLCO7yEVUPqs2spjqm4uWney8VH/WZ/geZFafJXIgQ="},
    ),
    (
        "slack",
        "8f742231b10e8888abcd99yyyzzz85a5",
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&"
        b"channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&"
        b"response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F"
        b"96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
        1_531_420_618,
        {
            "x-slack-request-timestamp": "1531420618",
            "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
        },
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


@pytest.mark.parametrize("name", SIGNING)
def test_scheme_accepts_one_right_signature_among_several(name: str) -> None:
    """A sender that rotates its secret signs with both."""
    headers = signed(name)
    right = headers[EXAMPLES[name].header]
    wrong = {
        "saga": f"sha256={'0' * 64}, {right}",
        "github": f"sha1=00,sha256={'0' * 64},{right}",
        "standard-webhooks": f"v1a,AAAA v1,{base64.b64encode(bytes(32)).decode()} {right}",
        "stripe": f"{right},v1={'0' * 64},v0=00",
        "shopify": f"{base64.b64encode(bytes(32)).decode()}, {right}",
        "slack": f"v0={'0' * 64},v1=00,{right}",
        "hmac": f"v9=, v9=AAAA,{right}",
    }
    verify(name, headers | {EXAMPLES[name].header: wrong[name]})


@pytest.mark.parametrize("name", SIGNING)
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
        verify(name, signed(name) | {EXAMPLES[name].header: value})


@pytest.mark.parametrize("name", NAMES)
def test_scheme_refuses_a_missing_or_repeated_header(name: str) -> None:
    """Each header that decides must be there, once."""
    scheme, key, headers = EXAMPLES[name], key_for(name), signed(name)
    needed = [header for header in headers if header not in OPTIONAL]
    for header in needed:
        rest = {other: value for other, value in headers.items() if other != header}
        with pytest.raises(DeliveryRefusedError):
            verify(name, rest)
        twice = Headers([*((k.encode(), v.encode()) for k, v in headers.items()), (header.encode(), b"x")])
        with pytest.raises(DeliveryRefusedError):
            scheme.verify(twice, BODY, [key], NOW, TOLERANCE)


@pytest.mark.parametrize("name", SIGNING)
def test_scheme_refuses_too_many_signatures(name: str) -> None:
    """Nobody makes us compare for ever, not even with the right one among them."""
    headers = signed(name)
    one = headers[EXAMPLES[name].header]
    separator = " " if name == "standard-webhooks" else ","
    padding = "v1=00" if name == "stripe" else one
    with pytest.raises(DeliveryRefusedError):
        verify(name, headers | {EXAMPLES[name].header: separator.join([one, *[padding] * MOST_SIGNATURES])})


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
        EXAMPLES[name].verify(Headers(raw), body, [key_for(name)], NOW, TOLERANCE)


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("gitlab", "fifteen-letters"),
        ("hmac", "fifteen-letters"),
        ("standard-webhooks", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwA"),
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
        EXAMPLES[name].key(secret)
    assert not secret or secret not in str(refused.value)


SVIX = {"webhook-id": "svix-id", "webhook-timestamp": "svix-timestamp", "webhook-signature": "svix-signature"}


def renamed(headers: dict[str, str]) -> dict[str, str]:
    """Return headers under Svix's names."""
    return {SVIX[name]: value for name, value in headers.items()}


def test_standard_takes_the_names_of_svix() -> None:
    """What the sender signed is the same, and so is the id."""
    standard, headers = SCHEMES["standard-webhooks"], renamed(signed("standard-webhooks"))
    verify("standard-webhooks", headers)
    assert standard.identify(Headers.of(headers), BODY, {}).id == "d-1"
    with pytest.raises(DeliveryRefusedError):
        verify("standard-webhooks", headers, BODY + b" ")


def test_standard_mixes_no_names() -> None:
    """All headers are of one family: an id of the other, which nobody signed, is never the delivery's."""
    standard, headers = SCHEMES["standard-webhooks"], signed("standard-webhooks")
    svix = renamed(headers)
    forged = [svix | {"webhook-id": "forged", "webhook-timestamp": "1"}, headers | {"svix-id": "forged"}]
    for both in (*forged, headers | svix | {"svix-id": "forged"}):
        verify("standard-webhooks", both)
        assert standard.identify(Headers.of(both), BODY, {}).id == "d-1"
    for name in headers:
        with pytest.raises(DeliveryRefusedError):
            verify("standard-webhooks", {**svix, **{name: headers[name]}} | {"svix-id": "forged"})
        mixed = {other if other == name else SVIX[other]: value for other, value in headers.items()}
        with pytest.raises(DeliveryRefusedError):
            verify("standard-webhooks", mixed)


@pytest.mark.parametrize("size", [24, 32, 31, 25])
def test_standard_takes_a_secret_without_padding(size: int) -> None:
    """A key of any length, with or without `=` behind it and `whsec_` before it."""
    key = bytes(range(size))
    padded = base64.b64encode(key).decode()
    for secret in (padded, padded.rstrip("="), f"whsec_{padded}", f"whsec_{padded.rstrip('=')}"):
        assert SCHEMES["standard-webhooks"].key(secret) == key


def test_keyed_hash_takes_a_signature_without_padding() -> None:
    """Some senders leave it out; capital letters in hexadecimal digits are the same digits."""
    headers = signed("shopify")
    verify("shopify", {name: value.rstrip("=") for name, value in headers.items()})
    slack = signed("slack")
    verify("slack", slack | {"x-slack-signature": f"v0={slack['x-slack-signature'][3:].upper()}"})


@pytest.mark.parametrize("header", ["x-id", "x-time"])
def test_keyed_hash_signs_what_the_source_says(header: str) -> None:
    """Another id or another time under the same signature is refused."""
    headers = signed("hmac")
    other = str(int(NOW.timestamp()) + 1) if header == "x-time" else "d-2"
    with pytest.raises(DeliveryRefusedError, match="signed"):
        verify("hmac", headers | {header: other})


def test_keyed_hash_is_known_by_its_body_without_an_id() -> None:
    """A repetition has the same body and another time; a malformed id is refused where one is taken."""
    slack = SCHEMES["slack"]
    first, again = (slack.identify(Headers.of(signed("slack", now=now)), BODY, {}) for now in (NOW, NOW + TOLERANCE))
    assert first == again != slack.identify(Headers.of({}), BODY + b" ", {})
    by_header = KeyedHash("x-sig", id_header="x-id", signs_id=False)
    given = by_header.sign(BODY, key_for("hmac"), "d-1", NOW)
    assert by_header.identify(Headers.of(given), BODY, {}).id == "d-1"
    with pytest.raises(DeliveryRefusedError):
        by_header.verify(Headers.of(given | {"x-id": "a b"}), BODY, [key_for("hmac")], NOW, TOLERANCE)
    given.pop("x-id")
    by_header.verify(Headers.of(given), BODY, [key_for("hmac")], NOW, TOLERANCE)
    assert by_header.identify(Headers.of(given), BODY, {}) == first


@pytest.mark.parametrize(
    "token", ["", "a-secret-of-the-sho", "a-secret-of-the-shop ", "A-secret-of-the-shop", "é" * 20]
)
def test_token_refuses_another(token: str) -> None:
    """Nothing that is nearly the token, and nothing that is longer."""
    for name in ("gitlab", "token"):
        scheme = EXAMPLES[name]
        verify(name, signed(name))
        value = f"Bearer {token}" if name == "token" else token
        with pytest.raises(DeliveryRefusedError):
            verify(name, signed(name) | {scheme.header: value})
    with pytest.raises(DeliveryRefusedError):
        verify("token", {"authorization": SECRETS["env:SHOP"]})


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

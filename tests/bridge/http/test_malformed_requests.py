"""Whatever bytes come over the network: never a 5xx, never an acceptance."""

from __future__ import annotations

import re
from urllib.parse import quote_plus

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.database import Database
from tests.bridge.http.endpoint import BODIES, Endpoint, example_sources, signed, waiting_events

SOURCES = ("shop", "standard", "git", "pay", "store", "chat", "lab", "custom", "bearer", "nobody")
_PATIENT = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))

# What is nearly right goes further than noise does.
_NEARLY = st.sampled_from(
    [
        b"v0=",
        b"v9=,v9=",
        b"Bearer ",
        b"Bearer",
        b"=",
        b"====",
        b",",
        b"v1",
        b"v1,",
        b"v1,a",
        b"v1, v1,",
        b"sha256=",
        b"t=1,v1=",
        b"t=1705314600,v1=00",
        b"1705314600",
        b"\xff",
        b"d-1",
    ]
)
_VALUE = st.one_of(st.binary(max_size=60), _NEARLY)


def request(source: str, headers: list[tuple[bytes, bytes]], body: bytes) -> bytes:
    """Return a request as bytes; the connection ends with it."""
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    start = f"POST /webhooks/{source} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n".encode()
    return start + lines + f"content-length: {len(body)}\r\n\r\n".encode() + body


def status(answer: bytes) -> int:
    """Return the status of an answer; 0 where the connection was closed without one."""
    found = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
    return int(found[1]) if found else 0


@pytest.mark.parametrize("source", SOURCES)
@_PATIENT
@given(data=st.data())
async def test_endpoint_refuses_noise_in_every_header(
    webhook_endpoint: Endpoint, database: Database, source: str, data: st.DataObject
) -> None:
    """Some headers of a good delivery are replaced by noise; the body may be any bytes."""
    body = BODIES["shop"] if source == "nobody" else BODIES[source]
    good = signed("shop" if source == "nobody" else source, body)
    signature = example_sources()["shop" if source == "nobody" else source].scheme.header
    noisy = data.draw(st.sets(st.sampled_from(sorted(good)))) | {signature}
    headers = [(n.encode(), data.draw(_VALUE) if n in noisy else v.encode()) for n, v in good.items()]
    sent = data.draw(st.one_of(st.just(body), st.binary(max_size=200)))
    assert status(await webhook_endpoint.send(request(source, headers, sent))) in {400, 401}
    assert await waiting_events(database) == []


@_PATIENT
@given(body=st.binary(max_size=300))
async def test_endpoint_makes_no_event_of_signed_noise(
    webhook_endpoint: Endpoint, database: Database, body: bytes
) -> None:
    """A body that is signed and no JSON that the source can use is refused, and nothing breaks."""
    headers = [(name.encode(), value.encode()) for name, value in signed("shop", body).items()]
    assert status(await webhook_endpoint.send(request("shop", headers, body))) == 422
    assert await waiting_events(database) == []


# What another program may read in another way: numbers beyond all bounds, halves of characters, names that come twice.
_LEAF = st.sampled_from(
    [
        '"\\ud800"',
        '"\\u0000"',
        "1e400",
        "9" * 400,
        "9" * 5000,
        "-0",
        "1.0",
        "null",
        "true",
        '""',
        '"a.b"',
        '"#"',
        '"a b"',
    ]
)
_MEMBER_NAMES = st.sampled_from(["kind", "order", "type", "challenge", "id", "__class__", "\\u0000"])


def _written(members: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f'"{name}": {value}' for name, value in members) + "}"


_DOCUMENT = st.recursive(
    _LEAF,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]"),
        st.lists(st.tuples(_MEMBER_NAMES, inner), max_size=4).map(_written),
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("source", ["shop", "chat", "store", "lab"])
@_PATIENT
@given(document=_DOCUMENT, as_form=st.booleans())
async def test_endpoint_answers_signed_json_of_any_shape(
    webhook_endpoint: Endpoint, source: str, document: str, as_form: bool
) -> None:
    """It becomes an event or is refused as unusable: never our failure, and never a mistake of the signature."""
    body = f"payload={quote_plus(document)}" if as_form else document
    answer = await webhook_endpoint.post(source, body.encode())
    assert answer.status_code in {200, 202, 409, 422}, answer.text


@_PATIENT
@given(noise=st.binary(min_size=1, max_size=400))
async def test_endpoint_survives_what_is_no_http(webhook_endpoint: Endpoint, noise: bytes) -> None:
    """Bytes that are no request at all end in 400 or in a closed connection."""
    answer = await webhook_endpoint.send(noise + b"\r\n\r\n")
    assert status(answer) < 500
    assert (await webhook_endpoint.client.get("/healthz")).status_code == 200


@pytest.mark.parametrize(
    "head",
    [
        "content-length: 5\r\ntransfer-encoding: chunked",
        "content-length: 5\r\ncontent-length: 6",
        "content-length: -1",
        "content-length: 0x10",
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: xchunked",
        "x: " + "a" * 100_000,
        "\r\n".join(f"x{n}: a" for n in range(5000)),
        "upgrade: websocket\r\nconnection: upgrade",
        "expect: 100-continue\r\ncontent-length: 9999999",
    ],
)
async def test_endpoint_survives_ambiguous_requests(webhook_endpoint: Endpoint, database: Database, head: str) -> None:
    """What two programs could read in two ways, or what never ends, is refused."""
    answer = await webhook_endpoint.send(f"POST /webhooks/shop HTTP/1.1\r\nhost: x\r\n{head}\r\n\r\n0\r\n\r\n".encode())
    assert status(answer) in {0, 400, 401, 413}
    assert await waiting_events(database) == []

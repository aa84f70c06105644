"""How much of a body is read, and what may stand in it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bridge.http.body import MAX_DEPTH, parse_body, read_body
from bridge.http.errors import (
    DeliveryAmbiguousError,
    DeliveryEncodedError,
    DeliveryTooLargeError,
    DeliveryUnusableError,
)
from bridge.http.headers import Headers


class Chunks:
    """A body that comes in pieces and counts those that were taken."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            self.taken += 1
            yield piece


async def test_read_body_joins_the_pieces() -> None:
    """A body as long as the limit is whole."""
    assert await read_body(Headers.of({"content-encoding": "Identity"}), Chunks(b"ab", b"", b"c"), 3) == b"abc"


async def test_read_body_stops_at_the_limit() -> None:
    """The piece that is too much ends it, whatever the length that was announced."""
    pieces = Chunks(b"ab", b"cd", b"ef")
    with pytest.raises(DeliveryTooLargeError, match="3 bytes"):
        await read_body(Headers.of({"content-length": "2"}), pieces, 3)
    assert pieces.taken == 2


@pytest.mark.parametrize("length", ["4", "9" * 30])
async def test_read_body_believes_an_announced_length_that_is_too_much(length: str) -> None:
    """Nothing is read of it."""
    pieces = Chunks(b"a")
    with pytest.raises(DeliveryTooLargeError):
        await read_body(Headers.of({"content-length": length}), pieces, 3)
    assert pieces.taken == 0


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip", "\xff"])
async def test_read_body_refuses_encodings(encoding: str) -> None:
    """What is compressed is never read."""
    pieces = Chunks(b"a")
    with pytest.raises(DeliveryEncodedError):
        await read_body(Headers.of({"content-encoding": encoding}), pieces, 3)
    assert pieces.taken == 0


async def test_read_body_refuses_two_lengths() -> None:
    """What a proxy before us could end elsewhere is no delivery."""
    with pytest.raises(DeliveryAmbiguousError):
        await read_body(Headers.of({"content-length": "1", "transfer-encoding": "chunked"}), Chunks(b"a"), 3)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'\xef\xbb\xbf{"a": 1}',
        b"NaN",
        b"[Infinity]",
        b"1e999",
        b"[" * 100_000,
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b"9" * 5000,
        '{"a": 1}'.encode("utf-16"),
        b"{} {}",
    ],
)
def test_parse_body_refuses_what_is_no_json(body: bytes) -> None:
    """Whatever the bytes, there is one kind of error."""
    with pytest.raises(DeliveryUnusableError):
        parse_body(body)


def test_parse_body_returns_json() -> None:
    """Any JSON, nested as deep as allowed."""
    assert parse_body(b'{"a": [1, 2.5, null, "\xc3\xa4"]}') == {"a": [1, 2.5, None, "ä"]}
    parse_body(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)

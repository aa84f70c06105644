"""Signatures that are written `sha256=<hex>`, several of them with commas between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bridge.http.errors import DeliveryRefusedError
from bridge.http.signatures.mac import mac, require_match

_PREFIX: Final = b"sha256="


def require_prefixed(value: bytes, body: bytes, keys: Sequence[bytes]) -> None:
    """Return if one of the signatures in a header's value is the body's.

    Raises:
        DeliveryRefusedError: None is, or there is none.
    """
    parts = [part.strip() for part in value.split(b",")]
    given = [part.removeprefix(_PREFIX).lower() for part in parts if part.startswith(_PREFIX)]
    if not given:
        raise DeliveryRefusedError("malformed-signature")
    require_match(given, (digits(mac(key, body)) for key in keys))


def prefixed(body: bytes, key: bytes) -> str:
    """Return the signature of a body."""
    return (_PREFIX + digits(mac(key, body))).decode()


def digits(digest: bytes) -> bytes:
    """Return a digest in hexadecimal digits."""
    return digest.hex().encode()

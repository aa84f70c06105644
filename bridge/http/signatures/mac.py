"""The one place where a signature is computed and the one where signatures are compared.

A comparison must take the same time whatever it compares, or a sender could find a signature byte by byte. So nothing
else in these modules compares what came with what is expected, all pairs are looked at even after one has fitted, and
a test reads the code to see that it stays so.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence

from bridge.http.errors import DeliveryRefusedError, WeakSecretError

MOST_SIGNATURES = 16
LEAST_KEY_BYTES = 16


def mac(key: bytes, *parts: bytes) -> bytes:
    """Return the HMAC-SHA256 of the parts, one behind the other."""
    signing = hmac.new(key, digestmod=hashlib.sha256)
    for part in parts:
        signing.update(part)
    return signing.digest()


def require_match(given: Sequence[bytes], expected: Iterable[bytes]) -> None:
    """Return if one of the signatures that came is one of the expected ones.

    Raises:
        DeliveryRefusedError: None is, or more came than any honest sender has keys.
    """
    if len(given) > MOST_SIGNATURES:
        raise DeliveryRefusedError("too-many-signatures")
    fits = False
    for signature in expected:
        for candidate in given:
            fits |= hmac.compare_digest(candidate, signature)
    if not fits:
        raise DeliveryRefusedError("wrong-signature")


def key_of(secret: str) -> bytes:
    """Return the key of a secret that is used as it is.

    Raises:
        WeakSecretError: It could be guessed.
    """
    return strong(secret.encode())


def strong(key: bytes) -> bytes:
    """Return a key that cannot be guessed.

    Raises:
        WeakSecretError: It is too short.
    """
    if len(key) < LEAST_KEY_BYTES:
        raise WeakSecretError(f"It has {len(key)}.")
    return key

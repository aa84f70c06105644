"""The plain scheme: `x-webhook-signature: sha256=<hex>` over the raw body, and nothing else is signed.

It is the simplest that a sender can do. It has no time, so an old delivery is as good as a new one until its id is
forgotten. `x-webhook-id` names the delivery; without it the body does.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from bridge.http.headers import Headers
from bridge.http.signatures.hexadecimal import prefixed, require_prefixed
from bridge.http.signatures.mac import key_of
from bridge.http.signatures.scheme import Identity, identity_of_body
from contracts.json import Json

_SIGNATURE: Final = "x-webhook-signature"
_ID: Final = "x-webhook-id"


class Plain:
    """`scheme: saga`."""

    name: Final = "saga"
    header: Final = _SIGNATURE
    signs_id: Final = False
    signs_time: Final = False
    sends_secret: Final = False
    reads_forms: Final = True

    def key(self, secret: str) -> bytes:
        """Return the secret's own bytes."""
        return key_of(secret)

    def verify(self, headers: Headers, body: bytes, keys: Sequence[bytes], now: datetime, tolerance: timedelta) -> None:
        """Return if one of the signatures is right; the time is not signed."""
        require_prefixed(headers.need(_SIGNATURE), body, keys)

    def identify(self, headers: Headers, body: bytes, document: Json) -> Identity:
        """Return the id in the header, else one made of the body."""
        return identity_of_body(body, headers.find(_ID))

    def sign(self, body: bytes, key: bytes, delivery_id: str, now: datetime) -> dict[str, str]:
        """Return the headers of a delivery."""
        return {_ID: delivery_id, _SIGNATURE: prefixed(body, key)}

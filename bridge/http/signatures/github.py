"""GitHub's scheme: `x-hub-signature-256: sha256=<hex>` over the raw body; `x-github-delivery` names the delivery.

Neither the id nor a time is signed. The older header with SHA-1 is passed over.

Source: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from bridge.http.headers import Headers
from bridge.http.signatures.hexadecimal import prefixed, require_prefixed
from bridge.http.signatures.mac import key_of
from bridge.http.signatures.scheme import Identity, id_in_header
from contracts.json import Json

_SIGNATURE: Final = "x-hub-signature-256"
_ID: Final = "x-github-delivery"


class GitHub:
    """`scheme: github`."""

    name: Final = "github"
    header: Final = _SIGNATURE
    signs_id: Final = False
    signs_time: Final = False
    sends_secret: Final = False
    reads_forms: Final = True

    def key(self, secret: str) -> bytes:
        """Return the secret's own bytes."""
        return key_of(secret)

    def verify(self, headers: Headers, body: bytes, keys: Sequence[bytes], now: datetime, tolerance: timedelta) -> None:
        """Return if the signature is right and the delivery has an id; the time is not signed."""
        id_in_header(headers.need(_ID))
        require_prefixed(headers.need(_SIGNATURE), body, keys)

    def identify(self, headers: Headers, body: bytes, document: Json) -> Identity:
        """Return the delivery's id."""
        return Identity(id_in_header(headers.need(_ID)), hashlib.sha256(body).digest())

    def sign(self, body: bytes, key: bytes, delivery_id: str, now: datetime) -> dict[str, str]:
        """Return the headers of a delivery; the kind of event is made up."""
        return {_ID: delivery_id, "x-github-event": "ping", _SIGNATURE: prefixed(body, key)}

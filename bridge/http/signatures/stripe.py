"""Stripe's scheme: `stripe-signature: t=<seconds>,v1=<hex>,v1=<hex>` over `timestamp.body`.

The secret is used as it is, with its `whsec_`. The delivery's id is the event's `id` in the body. How many deliveries
are still pending (`pending_webhooks`) may differ in a repetition, so it does not count when bodies are told apart.

Source: https://docs.stripe.com/webhooks/signature
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from bridge.http.errors import DeliveryRefusedError, DeliveryUnusableError
from bridge.http.headers import Headers
from bridge.http.signatures.hexadecimal import digits
from bridge.http.signatures.mac import key_of, mac, require_match
from bridge.http.signatures.scheme import Identity, id_in_body, require_fresh, seconds
from contracts.json import Json

_SIGNATURE: Final = "stripe-signature"
_CHANGING: Final = "pending_webhooks"


class Stripe:
    """`scheme: stripe`."""

    name: Final = "stripe"
    header: Final = _SIGNATURE
    signs_id: Final = True
    signs_time: Final = True
    sends_secret: Final = False
    reads_forms: Final = False

    def key(self, secret: str) -> bytes:
        """Return the secret's own bytes."""
        return key_of(secret)

    def verify(self, headers: Headers, body: bytes, keys: Sequence[bytes], now: datetime, tolerance: timedelta) -> None:
        """Return if one of the signatures is right and the time is near."""
        parts = [part.strip().partition(b"=") for part in headers.need(_SIGNATURE).split(b",")]
        timestamps = [value for name, _, value in parts if name == b"t"]
        given = [value.lower() for name, _, value in parts if name == b"v1"]
        if len(timestamps) != 1 or not given:
            raise DeliveryRefusedError("malformed-signature")
        require_fresh(timestamps[0], now, tolerance)
        require_match(given, (digits(mac(key, timestamps[0], b".", body)) for key in keys))

    def identify(self, headers: Headers, body: bytes, document: Json) -> Identity:
        """Return the event's id."""
        if not isinstance(document, dict):
            raise DeliveryUnusableError("It is not a JSON object.")
        lasting = {name: value for name, value in document.items() if name != _CHANGING}
        text = json.dumps(lasting, sort_keys=True, separators=(",", ":"))
        return Identity(id_in_body(document.get("id")), hashlib.sha256(text.encode()).digest())

    def sign(self, body: bytes, key: bytes, delivery_id: str, now: datetime) -> dict[str, str]:
        """Return the headers of a delivery; its id is in the body."""
        timestamp = seconds(now)
        signature = digits(mac(key, timestamp.encode(), b".", body)).decode()
        return {_SIGNATURE: f"t={timestamp},v1={signature}"}

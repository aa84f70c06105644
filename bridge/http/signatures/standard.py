"""Standard Webhooks: `v1,<base64>` over `id.timestamp.body`, several with spaces between.

The secret is base64 behind `whsec_`, with or without padding. Signatures of other versions (`v1a` is asymmetric) are
passed over: a sender that has both sends both. Svix, from which the scheme comes, sends the same under names of its own
(`svix-id` and so on); which names count is decided by the header of the signature alone, so no delivery mixes them.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from bridge.http.errors import DeliveryRefusedError, WeakSecretError
from bridge.http.headers import Headers
from bridge.http.signatures.mac import mac, require_match, strong
from bridge.http.signatures.scheme import Identity, id_in_header, require_fresh, seconds
from contracts.json import Json

_STANDARD: Final = "webhook"
_SVIX: Final = "svix"
_VERSION: Final = b"v1,"


class Standard:
    """`scheme: standard-webhooks`."""

    name: Final = "standard-webhooks"
    header: Final = "webhook-signature"
    signs_id: Final = True
    signs_time: Final = True
    sends_secret: Final = False
    reads_forms: Final = False

    def key(self, secret: str) -> bytes:
        """Return the bytes that the secret spells in base64."""
        digits = secret.removeprefix("whsec_").rstrip("=")
        try:
            return strong(base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True))
        except (binascii.Error, ValueError):
            raise WeakSecretError("It is to be base64, behind `whsec_`.") from None

    def verify(self, headers: Headers, body: bytes, keys: Sequence[bytes], now: datetime, tolerance: timedelta) -> None:
        """Return if one of the signatures is right and the time is near."""
        family = _family(headers)
        delivery_id, timestamp = headers.need(f"{family}-id"), headers.need(f"{family}-timestamp")
        id_in_header(delivery_id)
        require_fresh(timestamp, now, tolerance)
        parts = headers.need(f"{family}-signature").split(b" ")
        given = [part.removeprefix(_VERSION) for part in parts if part.startswith(_VERSION)]
        if not given:
            raise DeliveryRefusedError("malformed-signature")
        require_match(given, (_signature(key, delivery_id, timestamp, body) for key in keys))

    def identify(self, headers: Headers, body: bytes, document: Json) -> Identity:
        """Return the delivery's id; the time is another in each repetition and does not count."""
        delivery_id = headers.need(f"{_family(headers)}-id")
        return Identity(id_in_header(delivery_id), hashlib.sha256(body).digest())

    def sign(self, body: bytes, key: bytes, delivery_id: str, now: datetime) -> dict[str, str]:
        """Return the headers of a delivery."""
        timestamp = seconds(now)
        signature = _VERSION + _signature(key, delivery_id.encode(), timestamp.encode(), body)
        return {
            f"{_STANDARD}-id": delivery_id,
            f"{_STANDARD}-timestamp": timestamp,
            f"{_STANDARD}-signature": signature.decode(),
        }


def _family(headers: Headers) -> str:
    """Return what the names of the headers begin with."""
    has_svix, has_standard = headers.has(f"{_SVIX}-signature"), headers.has(f"{_STANDARD}-signature")
    return _SVIX if has_svix and not has_standard else _STANDARD


def _signature(key: bytes, delivery_id: bytes, timestamp: bytes, body: bytes) -> bytes:
    return base64.b64encode(mac(key, delivery_id, b".", timestamp, b".", body))

"""HMAC-SHA256 as a source configures it: `scheme: hmac`, and the senders that are a case of it, Shopify and Slack.

A signature is written in hexadecimal digits or base64, behind a prefix, several with commas between. What is signed is
made of literal texts and of the time, the id and the body as they came.

A delivery without an id in a header is known by its body. An id that is not signed may be left out by a sender, and
the body stands in for it; one that is signed may not.

Sources: https://shopify.dev/docs/apps/build/webhooks, https://api.slack.com/authentication/verifying-requests-from-slack
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Literal, TypeAlias

from bridge.http.errors import DeliveryRefusedError
from bridge.http.headers import Headers
from bridge.http.signatures.hexadecimal import digits
from bridge.http.signatures.mac import key_of, mac, require_match
from bridge.http.signatures.scheme import Identity, id_in_header, identity_of_body, require_fresh, seconds
from contracts.json import Json

Encoding: TypeAlias = Literal["hex", "base64"]


class Member(StrEnum):
    """A part of what is signed that differs in each delivery."""

    TIMESTAMP = "timestamp"
    ID = "id"
    BODY = "body"


SignedText: TypeAlias = tuple[bytes | Member, ...]
"""What is signed: literal texts and members, in their order."""


@dataclass(frozen=True, slots=True)
class KeyedHash:
    """`scheme: hmac`.

    Attributes:
        header: Where the signature is.
        name: As written in `scheme:`.
        encoding: How the signature is written.
        prefix: What stands before it; no comma and no space.
        signed: What is signed.
        timestamp_header: Where the signed time is, in Unix seconds; None = no time is signed.
        id_header: Where the delivery's id is; None = the body is its id.
        signs_id: Whether the id is part of what is signed.
        reads_forms: Whether it is certain where the body begins in what is signed, whatever stands before it.
    """

    header: str
    name: str = "hmac"
    encoding: Encoding = "hex"
    prefix: str = ""
    signed: SignedText = (Member.BODY,)
    timestamp_header: str | None = None
    id_header: str | None = None
    signs_id: bool = True
    reads_forms: bool = True

    @property
    def signs_time(self) -> bool:
        """Whether the time is part of what is signed."""
        return self.timestamp_header is not None

    @property
    def sends_secret(self) -> bool:
        """Never: the header holds a signature."""
        return False

    def key(self, secret: str) -> bytes:
        """Return the secret's own bytes."""
        return key_of(secret)

    def verify(self, headers: Headers, body: bytes, keys: Sequence[bytes], now: datetime, tolerance: timedelta) -> None:
        """Return if one of the signatures is right and the time, where it is signed, is near."""
        members = self._members(headers, body)
        if self.timestamp_header is not None:
            require_fresh(members[Member.TIMESTAMP], now, tolerance)
        given = self._given(headers.need(self.header))
        if not given:
            raise DeliveryRefusedError("malformed-signature")
        require_match(given, (self._comparable(self._signature(key, members)) for key in keys))

    def identify(self, headers: Headers, body: bytes, document: Json) -> Identity:
        """Return the id in the header, else one made of the body."""
        return identity_of_body(body, None if self.id_header is None else headers.find(self.id_header))

    def sign(self, body: bytes, key: bytes, delivery_id: str, now: datetime) -> dict[str, str]:
        """Return the headers of a delivery."""
        named = {self.timestamp_header: seconds(now), self.id_header: delivery_id}
        headers = {name: value for name, value in named.items() if name is not None}
        signature = self._signature(key, self._members(Headers.of(headers), body))
        return headers | {self.header: f"{self.prefix}{signature.decode()}"}

    def _members(self, headers: Headers, body: bytes) -> Mapping[Member, bytes]:
        found = {Member.BODY: body}
        if self.timestamp_header is not None:
            found[Member.TIMESTAMP] = headers.need(self.timestamp_header)
        if self.id_header is not None:
            # One that is not signed may be missing: an empty one then stands for it, which nothing looks at.
            found[Member.ID] = (headers.need if self.signs_id else headers.find)(self.id_header) or b""
            if found[Member.ID]:
                id_in_header(found[Member.ID])
        return found

    def _given(self, value: bytes) -> list[bytes]:
        prefix = self.prefix.encode()
        parts = [part.strip() for part in value.split(b",")]
        given = [self._comparable(part.removeprefix(prefix)) for part in parts if part.startswith(prefix)]
        return [signature for signature in given if signature]

    def _signature(self, key: bytes, members: Mapping[Member, bytes]) -> bytes:
        pieces = (members[piece] if isinstance(piece, Member) else piece for piece in self.signed)
        digest = mac(key, *pieces)
        return base64.b64encode(digest) if self.encoding == "base64" else digits(digest)

    def _comparable(self, signature: bytes) -> bytes:
        return signature.rstrip(b"=") if self.encoding == "base64" else signature.lower()


# Shopify's id of an event comes with each topic that the event belongs to, with other bodies: it would be a conflict.
SHOPIFY: Final = KeyedHash("x-shopify-hmac-sha256", "shopify", "base64")

# Slack has the id in the body, where a repetition has it too.
SLACK: Final = KeyedHash(
    "x-slack-signature",
    "slack",
    prefix="v0=",
    signed=(b"v0:", Member.TIMESTAMP, b":", Member.BODY),
    timestamp_header="x-slack-request-timestamp",
)

"""A token that comes with each delivery: `scheme: token`, and GitLab, which is a case of it.

Nothing is signed. Whoever reads one delivery can forge others, so this is only as good as the TLS around it; it is
here because there are senders that can do nothing else. The header is a credential: expressions never see it.

Source: https://docs.gitlab.com/user/project/integrations/webhooks/
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bridge.http.errors import DeliveryRefusedError
from bridge.http.headers import Headers
from bridge.http.signatures.mac import key_of, require_match
from bridge.http.signatures.scheme import Identity, id_in_header, identity_of_body
from contracts.json import Json


@dataclass(frozen=True, slots=True)
class SharedToken:
    """`scheme: token`.

    Attributes:
        header: Where the token is.
        name: As written in `scheme:`.
        prefix: What stands before it, such as `Bearer `.
        id_header: Where the delivery's id is, if it has one; without it the body is its id.
    """

    header: str
    name: str = "token"
    prefix: str = ""
    id_header: str | None = None

    @property
    def signs_id(self) -> bool:
        """Never, but without an id in a header the body is the id."""
        return self.id_header is None

    @property
    def signs_time(self) -> bool:
        """Never."""
        return False

    @property
    def sends_secret(self) -> bool:
        """Always: that is what a token is."""
        return True

    @property
    def reads_forms(self) -> bool:
        """A body is a body."""
        return True

    def key(self, secret: str) -> bytes:
        """Return the token's own bytes."""
        return key_of(secret)

    def verify(self, headers: Headers, body: bytes, keys: Sequence[bytes], now: datetime, tolerance: timedelta) -> None:
        """Return if the token is one of the keys."""
        given, prefix = headers.need(self.header), self.prefix.encode()
        if not given.startswith(prefix):
            raise DeliveryRefusedError("malformed-signature")
        if self.id_header is not None and (delivery_id := headers.find(self.id_header)) is not None:
            id_in_header(delivery_id)
        # Of digests, because a comparison of texts of two lengths takes a time that tells the length.
        require_match([_digest(given.removeprefix(prefix))], (_digest(key) for key in keys))

    def identify(self, headers: Headers, body: bytes, document: Json) -> Identity:
        """Return the id in the header, else one made of the body."""
        return identity_of_body(body, None if self.id_header is None else headers.find(self.id_header))

    def sign(self, body: bytes, key: bytes, delivery_id: str, now: datetime) -> dict[str, str]:
        """Return the headers of a delivery; one of them is the token."""
        named = {} if self.id_header is None else {self.id_header: delivery_id}
        return named | {self.header: f"{self.prefix}{key.decode()}"}


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


# `x-gitlab-event-uuid` would not do as the id: events that lead to each other share it.
GITLAB: Final = SharedToken("x-gitlab-token", "gitlab", id_header="idempotency-key")

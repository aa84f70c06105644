"""What a scheme is: how a sender signs a delivery, and what of it is signed.

A scheme is pure: it gets the raw body, the keys and the time, and either returns or refuses. It is asked in two
steps, because some schemes keep the delivery's id in the body, which is not parsed before the signature was found to
be right.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from bridge.http.errors import DeliveryRefusedError, DeliveryUnusableError
from bridge.http.headers import Headers
from contracts.json import Json

_ID: Final = re.compile(r"[\x21-\x7e]{1,200}")
_SECONDS: Final = re.compile(rb"[0-9]{1,12}")


@dataclass(frozen=True, slots=True)
class Identity:
    """What a delivery is known by.

    Attributes:
        id: The same in each repetition of the delivery.
        digest: What tells two bodies under one id apart.
    """

    id: str
    digest: bytes


class Scheme(Protocol):
    """One way of signing."""

    @property
    def name(self) -> str:
        """As written in `scheme:`."""

    @property
    def header(self) -> str:
        """The header that decides, in small letters."""

    @property
    def signs_id(self) -> bool:
        """Whether the delivery's id is part of what is signed."""

    @property
    def signs_time(self) -> bool:
        """Whether the time of sending is part of what is signed."""

    @property
    def sends_secret(self) -> bool:
        """Whether `header` holds the secret itself, which nobody may see then."""

    @property
    def reads_forms(self) -> bool:
        """Whether the body may be a form with its JSON in the field `payload`.

        Not where an id of the sender's choice is signed in front of the body: a copy of a delivery could then move the
        beginning of its body into the id, and a text within the body could be made to be a form.
        """

    def key(self, secret: str) -> bytes:
        """Return the key that a secret stands for.

        Raises:
            WeakSecretError: The secret is too short or malformed.
        """

    def verify(self, headers: Headers, body: bytes, keys: Sequence[bytes], now: datetime, tolerance: timedelta) -> None:
        """Return if the delivery was signed with one of the keys, and not too long ago.

        Raises:
            DeliveryRefusedError: It was not.
        """

    def identify(self, headers: Headers, body: bytes, document: Json) -> Identity:
        """Return what a verified delivery is known by.

        Raises:
            DeliveryRefusedError: The id in a header is malformed.
            DeliveryUnusableError: The id in the body is.
        """

    def sign(self, body: bytes, key: bytes, delivery_id: str, now: datetime) -> dict[str, str]:
        """Return the headers of a delivery that would be accepted now, for trying a source out."""


def require_fresh(timestamp: bytes, now: datetime, tolerance: timedelta) -> None:
    """Return if a moment in Unix seconds is not further from now than `tolerance`, in the past or in the future.

    Raises:
        DeliveryRefusedError: It is, or it is no moment.
    """
    if _SECONDS.fullmatch(timestamp) is None:
        raise DeliveryRefusedError("malformed-timestamp")
    age = now.timestamp() - int(timestamp)
    if abs(age) > tolerance.total_seconds():
        raise DeliveryRefusedError("stale" if age > 0 else "from-the-future")


def seconds(now: datetime) -> str:
    """Return a moment in Unix seconds."""
    return str(int(now.astimezone(UTC).timestamp()))


def id_in_header(value: bytes) -> str:
    """Return a delivery's id that came in a header.

    Raises:
        DeliveryRefusedError: It is none.
    """
    text = value.decode("latin-1")
    if _ID.fullmatch(text) is None:
        raise DeliveryRefusedError("malformed-id")
    return text


def identity_of_body(body: bytes, given: bytes | None) -> Identity:
    """Return an identity by the id in a header, or by the body where there is none.

    Raises:
        DeliveryRefusedError: The id is malformed.
    """
    digest = hashlib.sha256(body)
    return Identity(digest.hexdigest() if given is None else id_in_header(given), digest.digest())


def id_in_body(value: object) -> str:
    """Return a delivery's id that came in the body.

    Raises:
        DeliveryUnusableError: It is none.
    """
    if not isinstance(value, str) or _ID.fullmatch(value) is None:
        raise DeliveryUnusableError("`id` must be a text of 1 to 200 visible characters.")
    return value

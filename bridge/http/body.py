"""The body of a delivery: read no further than it may go, and parsed only once its signature was right.

The limit holds for what really comes: a `Content-Length` that says too much ends the matter at once, one that says
too little does not help. A compressed body is refused and never unpacked, because what is signed are the bytes that
came and a small body may unpack to any size.
"""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterable
from typing import Final
from urllib.parse import unquote_to_bytes

from bridge.http.errors import (
    DeliveryAmbiguousError,
    DeliveryEncodedError,
    DeliveryTooLargeError,
    DeliveryUnusableError,
)
from bridge.http.headers import Headers
from contracts.json import Json

MAX_DEPTH: Final = 60
"""The event around the body adds a few levels, and may have 64."""

_LONGEST_LENGTH = 20
_FORM = b"payload="


async def read_body(headers: Headers, chunks: AsyncIterable[bytes], most_bytes: int) -> bytes:
    """Return the whole body.

    Raises:
        DeliveryAmbiguousError: A proxy before us might see its end elsewhere.
        DeliveryEncodedError: It is compressed.
        DeliveryTooLargeError: It is longer than `most_bytes`; what came is thrown away and no more is read.
    """
    if headers.text("content-encoding").strip().lower() not in ("", "identity"):
        raise DeliveryEncodedError
    if headers.text("content-length") and headers.text("transfer-encoding"):
        raise DeliveryAmbiguousError
    _check_announced(headers, most_bytes)
    body = bytearray()
    async for chunk in chunks:
        if len(body) + len(chunk) > most_bytes:
            raise _too_large(most_bytes)
        body += chunk
    return bytes(body)


def parse_body(body: bytes, *, may_be_form: bool = False) -> Json:
    """Return the JSON in a body.

    Whether it is a form is told by the body, which is signed, and not by its `Content-Type`, which is not: a form
    begins with `payload=`, which no JSON does.

    Args:
        body: As it came.
        may_be_form: Whether it may be a form with the JSON in its only field, `payload`.

    Raises:
        DeliveryUnusableError: It is no JSON in UTF-8, or is nested too deeply.
    """
    text = _payload(body) if may_be_form and body.startswith(_FORM) else body
    try:
        document: Json = json.loads(text.decode(), parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError):
        also = ", or a form with the single field `payload` that is" if may_be_form else ""
        raise DeliveryUnusableError(f"Its body is not JSON in UTF-8{also}.") from None
    _check_depth(document)
    return document


def _payload(form: bytes) -> bytes:
    """Return what is in the field `payload`; a form with further fields is left as it is, and so is no JSON."""
    field = form.removeprefix(_FORM)
    return form if b"&" in field else unquote_to_bytes(field.replace(b"+", b" "))


def _check_announced(headers: Headers, most_bytes: int) -> None:
    announced = headers.text("content-length")
    if announced.isdecimal() and (len(announced) > _LONGEST_LENGTH or int(announced) > most_bytes):
        raise _too_large(most_bytes)


def _too_large(most_bytes: int) -> DeliveryTooLargeError:
    return DeliveryTooLargeError(f"{most_bytes:,} bytes are allowed.")


def _refuse_constant(name: str) -> float:
    raise ValueError(name)


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(digits[:20])
    return number


def _check_depth(document: Json) -> None:
    level = [document]
    for _ in range(MAX_DEPTH):
        level = [child for value in level for child in _children(value)]
        if not level:
            return
    raise DeliveryUnusableError(f"Its body is nested more than {MAX_DEPTH} levels deep.")


def _children(value: Json) -> list[Json]:
    match value:
        case dict():
            return list(value.values())
        case list():
            return value
    return []

"""What Temporal takes at most, and whether a value fits.

Temporal refuses a payload of more than 2 MiB only when it is sent, and a run that would send one hangs. So it is
measured before, where it can still be said which step it is.
"""

from __future__ import annotations

from typing import Final

from contracts.json import Json, encode

PAYLOAD_LIMIT_BYTES: Final = 2 * 1024 * 1024 - 4096
"""The limit of one message's payloads, less what stands around the value."""

CARRIED_LIMIT_BYTES: Final = PAYLOAD_LIMIT_BYTES
"""What a run may carry into its next execution, packed, with its input."""


def excess(value: Json, *, any_depth: bool = False) -> int | None:
    """Return the size of `value` as it is sent, bytes of JSON, if it does not fit; else None.

    Raises:
        NotJsonError: It cannot be sent at all, or is nested deeper than a value may be, unless `any_depth` is.
    """
    size = len(encode(value, any_depth=any_depth))
    return size if size > PAYLOAD_LIMIT_BYTES else None


def too_large(what: str, size: int) -> str:
    """Return the sentence that says so."""
    return f"{what} has {size:,} bytes of JSON, and {PAYLOAD_LIMIT_BYTES:,} fit."

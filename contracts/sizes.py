"""What Temporal takes at most, and whether a value fits.

Temporal refuses a payload of more than 2 MiB only when it is sent, and a run that would send one hangs. So it is
measured before, where it can still be said which step it is. Values that are plainly small, as nearly all are, are
not measured.
"""

from __future__ import annotations

import json
from typing import Final

from contracts.json import Json

PAYLOAD_LIMIT_BYTES: Final = 2 * 1024 * 1024 - 4096
"""The limit of one message's payloads, less what stands around the value."""

_FEW = 32
_SHORT = 4096


def excess(value: Json) -> int | None:
    """Return the size of `value` as JSON, bytes, if it does not fit; else None."""
    if _is_plainly_small(value):
        return None
    size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
    return size if size > PAYLOAD_LIMIT_BYTES else None


def too_large(what: str, size: int) -> str:
    """Return the sentence that says so."""
    return f"{what} has {size:,} bytes of JSON, and {PAYLOAD_LIMIT_BYTES:,} fit."


def _is_plainly_small(value: Json) -> bool:
    if isinstance(value, dict):
        return len(value) <= _FEW and all(_is_short(entry) for entry in value.values())
    return _is_short(value)


def _is_short(value: Json) -> bool:
    return not isinstance(value, dict | list) and (not isinstance(value, str) or len(value) <= _SHORT)

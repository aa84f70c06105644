"""Texts and JSON as PostgreSQL can hold them: without NUL, halves of surrogate pairs, and numbers that are none."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from contracts.json import Json

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_REFUSED = re.compile("[\x00\ud800-\udfff]")
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
_SUSPECT = re.compile(r"\\u(?:0000|d[89a-f])")


def storable_text(value: object) -> str:
    """Return the value as a text; what PostgreSQL refuses is replaced."""
    return _REFUSED.sub(_REPLACEMENT, str(value))


def storable_json(value: Json) -> str:
    """Return the value as a JSON text; what PostgreSQL refuses in it is replaced."""
    try:
        text = _encode(value)
    except ValueError:
        return _encode(_storable(value))
    return _encode(_storable(value)) if _SUSPECT.search(text) else text


def _storable(value: Any) -> Any:
    match value:
        case str():
            return storable_text(value)
        case float() if not math.isfinite(value):
            return str(value)
        case list() | tuple():
            return [_storable(item) for item in value]
        case dict():
            return {storable_text(name): _storable(item) for name, item in value.items()}
    return value

"""The way out of an expression: a value becomes JSON, copied within a budget of bytes and levels.

Timestamps leave as RFC 3339 text in UTC, durations as seconds ("3.5s"), bytes as base64, an empty optional as null,
maps with text keys in sorted order. A part that is shared is counted as often as it would be written.
"""

import base64
from datetime import datetime, timedelta
from typing import Any

from contracts.json import Json
from workflows.language.expressions.values import (
    CONTAINER_COST,
    MAX_RESULT_BYTES,
    Fault,
    Optional,
    article,
    checked,
    duration_text,
    kind_of,
    sorted_keys,
    timestamp_text,
)

MAX_RESULT_DEPTH = 100


def to_json(value: object) -> Json:
    """Turn a result into JSON.

    Raises:
        Fault: It is larger than 2 MiB, nested deeper than 100 levels, or has no JSON form.
    """
    if value is None or value is True or value is False or type(value) is int:
        return value
    return _Exporter().export(value, 0)


class _Exporter:
    """Copies one value."""

    def __init__(self) -> None:
        self._left = MAX_RESULT_BYTES

    def export(self, value: Any, depth: int) -> Json:
        kind = type(value)
        if kind is str:
            self._take(len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass")))
            return str(value)
        self._take(2)
        if value is None or kind is bool or kind is int:
            return value  # type: ignore[no-any-return]  # narrowed by the identity of the type
        if kind is list:
            self._descend(depth)
            return [self.export(item, depth + 1) for item in value]
        if kind is dict:
            self._descend(depth)
            return self._map(value, depth)
        if kind is Optional:
            return self._optional(value, depth)
        return self._scalar(value)

    def _map(self, value: dict[Any, Any], depth: int) -> Json:
        made = {self._key(key): self.export(value[key], depth + 1) for key in sorted_keys(value)}
        if len(made) != len(value):
            raise Fault("two keys of a map are the same text in JSON, such as 1 and '1'")
        return made

    def _scalar(self, value: object) -> Json:
        match value:
            case float():
                return float(checked(value))
            case datetime():
                return timestamp_text(value)
            case timedelta():
                return duration_text(value)
            case bytes():
                self._take(len(value) * 4 // 3)
                return base64.b64encode(value).decode()
        raise Fault(f"the result is {article(kind_of(value))}, which has no JSON form")

    def _optional(self, value: Optional, depth: int) -> Json:
        return self.export(value.value, depth) if value.present else None

    def _key(self, key: object) -> str:
        text = str(key)
        self._take(len(text))
        return text

    def _take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise Fault(f"the result is larger than {MAX_RESULT_BYTES >> 20} MiB", "keep large data in a store")

    def _descend(self, depth: int) -> None:
        self._take(CONTAINER_COST)
        if depth >= MAX_RESULT_DEPTH:
            raise Fault(f"the result is nested more than {MAX_RESULT_DEPTH} levels deep")

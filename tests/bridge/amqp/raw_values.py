"""Header values as other client libraries write them, which ours does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pamqp.encode
import pytest


@dataclass(frozen=True)
class Raw:
    """A value of a header table: its type and its bytes."""

    wire: bytes


def text(value: bytes) -> Raw:
    """A long string of any bytes."""
    return Raw(b"S" + len(value).to_bytes(4) + value)


def write_raw_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the client library write `Raw` values."""
    usual = pamqp.encode.encode_table_value

    def write(value: Any) -> bytes:
        return value.wire if isinstance(value, Raw) else usual(value)

    monkeypatch.setattr(pamqp.encode, "encode_table_value", write)

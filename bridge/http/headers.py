"""The headers of a delivery, by what may be asked of them.

A header that decides about trust must be there once: two of a kind are read differently by different programs, so
they are refused and never joined. Expressions see all the others as text, joined as HTTP prescribes, without those
that hold credentials.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from bridge.http.errors import DeliveryRefusedError
from contracts.json import Json

_CREDENTIALS: Final = frozenset({"authorization", "cookie", "proxy-authorization"})


class Headers:
    """Headers by their name in small letters."""

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        """Take them as they came, in their order."""
        self._values: dict[str, list[bytes]] = {}
        for name, value in raw:
            self._values.setdefault(name.decode("latin-1").lower(), []).append(value)

    @classmethod
    def of(cls, named: Mapping[str, str]) -> Headers:
        """Return headers that were made here and not received."""
        return cls((name.encode("latin-1"), value.encode("latin-1")) for name, value in named.items())

    def has(self, name: str) -> bool:
        """Tell whether a header is there, however often."""
        return name in self._values

    def find(self, name: str) -> bytes | None:
        """Return the value of a header, or None where it is missing.

        Raises:
            DeliveryRefusedError: It is there several times.
        """
        values = self._values.get(name, [])
        if len(values) > 1:
            raise DeliveryRefusedError(f"repeated-header {name}")
        return values[0] if values else None

    def need(self, name: str) -> bytes:
        """Return the value of a header.

        Raises:
            DeliveryRefusedError: It is missing, empty, or there several times.
        """
        value = self.find(name)
        if not value:
            raise DeliveryRefusedError(f"missing-header {name}")
        return value

    def text(self, name: str) -> str:
        """Return a header that decides about nothing; several are joined, a missing one is empty."""
        return ", ".join(value.decode("latin-1") for value in self._values.get(name, []))

    def as_binding(self, secret: str = "") -> dict[str, Json]:
        """Return what expressions see as `headers`; `secret` is a header more that holds a credential."""
        return {name: self.text(name) for name in self._values if name not in _CREDENTIALS and name != secret}

"""The errors of the product: one root, two bases.

A `PermanentError` cannot be helped by a retry; a `TemporaryError` may be. The docstring of a class is its default
message and names the cure; what differs from case to case is carried as the detail. `code` is stable and listed in
docs/errors.md. Foreign exceptions are wrapped once, where the library is called.
"""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar


class SagaError(Exception):
    """Something went wrong in Sagawright."""

    code: ClassVar[str] = "saga"

    def __init__(self, detail: str = "") -> None:
        self.detail = detail
        super().__init__(detail)

    def __str__(self) -> str:
        """Return the message for a person: the class's sentence and the case's detail."""
        sentence = (type(self).__doc__ or "").strip().splitlines()[0]
        return f"{sentence} {self.detail}".strip()


class PermanentError(SagaError):
    """This cannot succeed, however often it is tried."""

    code = "permanent"


class TemporaryError(SagaError):
    """This may succeed later."""

    code = "temporary"

    def __init__(self, detail: str = "", delay: timedelta | None = None) -> None:
        self.delay = delay
        super().__init__(detail)

    def __reduce__(self) -> tuple[type[TemporaryError], tuple[str, timedelta | None]]:
        """Keep the delay when the error is pickled."""
        return type(self), (self.detail, self.delay)


class ServiceUnreachableError(TemporaryError):
    """A service does not answer."""

    code = "service-unreachable"

    def __init__(self, service: str, address: str, cure: str, delay: timedelta | None = None) -> None:
        self.service, self.address, self.cure = service, address, cure
        super().__init__(f"{service} at {address}: {cure}", delay)

    def __reduce__(self) -> tuple[type[ServiceUnreachableError], tuple[str, str, str, timedelta | None]]:  # type: ignore[override]  # the constructor has other arguments
        """Keep the parts of the message when the error is pickled."""
        return type(self), (self.service, self.address, self.cure, self.delay)

"""What a webhook's sender is told when its delivery is not taken.

The sentence of a class and its code are all that a sender sees, so none says which part of a signature was wrong.
What an operator needs to know travels as `reason` and goes to the log.
"""

from __future__ import annotations

from datetime import timedelta

from contracts.errors import PermanentError, TemporaryError


class DeliveryRefusedError(PermanentError):
    """The delivery is not signed as it must be; check the address, the secret, the clock and the signature."""

    code = "webhook-unauthorized"

    def __init__(self, reason: str = "", hint: str = "") -> None:
        """Keep the reason and what cures it apart from the message: they are for the operator alone."""
        self.reason, self.hint = reason, hint
        super().__init__()

    def __reduce__(self) -> tuple[type[DeliveryRefusedError], tuple[str, str]]:
        """Keep both when the error is pickled."""
        return type(self), (self.reason, self.hint)


class DeliveryTooLargeError(PermanentError):
    """The delivery is too large."""

    code = "webhook-too-large"


class DeliveryEncodedError(PermanentError):
    """The delivery is compressed; send it without Content-Encoding."""

    code = "webhook-encoding"


class DeliveryAmbiguousError(PermanentError):
    """The delivery says its length in two ways; send one of them."""

    code = "webhook-ambiguous"


class DeliveryUnusableError(PermanentError):
    """The delivery is signed, and no event can be made of it."""

    code = "webhook-unusable"


class DeliveryConflictError(PermanentError):
    """This delivery id was accepted with another body; give each delivery an id of its own."""

    code = "webhook-conflict"


class DeliverySlowError(TemporaryError):
    """The delivery did not arrive in time; send it again."""

    code = "webhook-timeout"


class DeliveryAbortedError(TemporaryError):
    """The sender went away before all of the delivery was there."""

    code = "webhook-aborted"


class IntakeBusyError(TemporaryError):
    """Too many deliveries arrive at once; send it again later."""

    code = "webhook-busy"

    def __init__(self, detail: str = "", delay: timedelta | None = timedelta(seconds=1)) -> None:
        """Ask the sender to come back soon: a delivery takes milliseconds."""
        super().__init__(detail, delay)


class IntakeUnavailableError(TemporaryError):
    """Deliveries cannot be taken now; send it again later."""

    code = "webhook-unavailable"

    def __init__(self, detail: str = "", delay: timedelta | None = timedelta(seconds=10)) -> None:
        """Ask the sender to come back after a while: a service must return first."""
        super().__init__(detail, delay)


class WeakSecretError(PermanentError):
    """A webhook's secret is too short or malformed; take one of at least 16 random bytes."""

    code = "weak-secret"


class NoListenerError(PermanentError):
    """The HTTP server cannot listen there; choose another address or port."""

    code = "no-listener"

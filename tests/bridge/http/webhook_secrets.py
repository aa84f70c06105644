"""Secrets for tests, and the function that resolves them."""

from __future__ import annotations

from datetime import UTC, datetime

from contracts.errors import PermanentError

NOW = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
"""The time at the endpoint of the tests, unless one asks for the real one."""

SECRETS = {
    "env:SHOP": "a-secret-of-the-shop",
    "env:SHOP_NEXT": "the-next-secret-of-the-shop",
    "env:STANDARD": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "env:GIT": "It's a Secret to Everybody",
    "env:PAY": "whsec_of_the_payments",
    "env:WEAK": "short",
}


class NoSecretError(PermanentError):
    """There is no such secret."""

    code = "no-secret"


def resolve(reference: str) -> str:
    """Return the secret of a reference."""
    if reference not in SECRETS:
        raise NoSecretError(reference)
    return SECRETS[reference]

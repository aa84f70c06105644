"""Resolves references to secrets: `env:NAME` and `file:PATH`.

Definitions and connections name secrets and never hold them. Actions ask the worker, and the worker asks this,
because only the command line reads the environment. A value never appears in an error.
"""

from __future__ import annotations

import os
from pathlib import Path

from contracts.errors import PermanentError


class SecretMissingError(PermanentError):
    """A secret cannot be had; set it where the worker runs."""

    code = "secret-missing"


def resolve_secret(reference: str) -> str:
    """Return the secret that a reference names, without a line break at its end.

    Raises:
        SecretMissingError: There is none, or the reference is of no known kind.
    """
    kind, _, name = reference.partition(":")
    match kind:
        case "env":
            return _from_environment(name, reference)
        case "file":
            return _from_file(name, reference)
    raise SecretMissingError(f"{reference!r} is neither `env:NAME` nor `file:PATH`.")


def _from_environment(name: str, reference: str) -> str:
    value = os.environ.get(name)
    if value is None:
        raise SecretMissingError(f"{reference}: there is no such variable.")
    return value


def _from_file(name: str, reference: str) -> str:
    try:
        return Path(name).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SecretMissingError(f"{reference}: {type(error).__name__}.") from error

"""Outside systems by name: where they are and how we introduce ourselves.

A definition names a connection; its base URL and headers stay out of definitions and histories. A header's value may
be a reference, `env:NAME` or `file:PATH`: it is resolved when the call is made, inside the activity, and never shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import unquote, urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from contracts.errors import PermanentError

_REFERENCES: Final = ("env:", "file:")


class UnknownConnectionError(PermanentError):
    """There is no such connection; name one of connections.yaml."""

    code = "unknown-connection"


class ConnectionsInvalidError(PermanentError):
    """The file of connections cannot be read."""

    code = "connections-invalid"


class PathRefusedError(PermanentError):
    """A path on a connection begins with one slash and has no `..` in it."""

    code = "path-refused"


class Connection(BaseModel):
    """One outside system.

    Attributes:
        base_url: Where it is, such as `https://crm.example/v1`.
        headers: Sent with every call; values may be references.
        bearer: Reference of a token that is sent as `Authorization: Bearer ...`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str
    headers: dict[str, str] = Field(default_factory=dict)
    bearer: str | None = None

    @field_validator("base_url")
    @classmethod
    def _is_plain(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must be an http or https URL without query")
        if parts.username or parts.password:
            raise ValueError("must not hold credentials; use `headers` or `bearer` with a reference")
        return value.rstrip("/")

    @field_validator("bearer")
    @classmethod
    def _is_reference(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(_REFERENCES):
            raise ValueError("must be a reference: env:NAME or file:PATH")
        return value

    def url(self, path: str) -> str:
        """Return the address of `path` on this system.

        Raises:
            PathRefusedError: `path` could leave the base URL.
        """
        segments = unquote(unquote(path.partition("?")[0])).replace("\\", "/").split("/")
        if path and (not path.startswith("/") or path.startswith("//") or ".." in segments):
            raise PathRefusedError(path)
        return self.base_url + path

    def headers_with(self, secret: Callable[[str], str]) -> dict[str, str]:
        """Return the headers with their references resolved by `secret`."""
        headers = {
            name: secret(value) if value.startswith(_REFERENCES) else value for name, value in self.headers.items()
        }
        if self.bearer is not None:
            headers["Authorization"] = f"Bearer {secret(self.bearer)}"
        return headers


def connection_named(connections: Mapping[str, Connection], name: str) -> Connection:
    """Return the connection called `name`.

    Raises:
        UnknownConnectionError: There is none; the message lists those there are.
    """
    if name not in connections:
        raise UnknownConnectionError(f"{name!r}; there are: {', '.join(sorted(connections)) or 'none'}.")
    return connections[name]


def parse_connections(text: str) -> dict[str, Connection]:
    """Read a `connections.yaml`: a map from name to connection.

    Raises:
        ConnectionsInvalidError: It is no YAML, or an entry has another form; the message names the entry.
    """
    try:
        return TypeAdapter(dict[str, Connection]).validate_python(yaml.safe_load(text) or {})
    except yaml.YAMLError as error:
        raise ConnectionsInvalidError(str(error)) from error
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, entry['loc']))}: {entry['msg']}" for entry in error.errors())
        raise ConnectionsInvalidError(found) from error

"""Validators that never leave the process."""

from __future__ import annotations

import socket
from contextlib import suppress

import jsonschema_rs
import pytest

from workflows.language.json_schema import is_schema, validator_of


def _untouched(listener: socket.socket) -> bool:
    listener.setblocking(False)
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return True
    return False


@pytest.mark.parametrize("keyword", ["$ref", "$dynamicRef", "$schema", "$id"])
def test_validators_do_not_fetch(keyword: str) -> None:
    """No keyword of a schema makes a connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/schema"
        schema = {"properties": {"a": {keyword: address}}, keyword: address}
        is_schema(schema)
        with suppress(jsonschema_rs.ValidationError):
            validator_of(schema)
        assert _untouched(listener)


@pytest.mark.parametrize("reference", ["file:///etc/hostname", "other.json", "#/$defs/none", "http://[::", "urn:x:y"])
def test_validators_refuse_what_is_not_in_the_schema(reference: str) -> None:
    """A reference to elsewhere is one kind of error, whatever is wrong with it."""
    with pytest.raises(jsonschema_rs.ValidationError):
        validator_of({"$ref": reference})


def test_validators_check_formats() -> None:
    """A constant that is no address is refused as it would be when it runs."""
    assert not validator_of({"format": "email"}).is_valid("nobody")
    assert is_schema({"type": "string"})
    assert not is_schema({"type": "strng"})

"""Outside systems by name."""

from __future__ import annotations

import pytest

from activities.connections import (
    Connection,
    ConnectionsInvalidError,
    PathRefusedError,
    UnknownConnectionError,
    connection_named,
    parse_connections,
)

TEXT = """
crm:
  base_url: https://crm.example/v1/
  headers: {X-Key: "env:CRM_KEY", X-Version: "2"}
  bearer: file:/run/secrets/crm
"""


def test_parse_connections_reads_the_file() -> None:
    """References stay references until a call is made."""
    crm = parse_connections(TEXT)["crm"]
    assert crm.base_url == "https://crm.example/v1"
    assert crm.headers_with({"env:CRM_KEY": "k", "file:/run/secrets/crm": "t"}.__getitem__) == {
        "X-Key": "k",
        "X-Version": "2",
        "Authorization": "Bearer t",
    }
    assert parse_connections("") == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("crm: {", "while parsing"),
        ("crm: 1", "crm"),
        ("crm: {base_url: 'ftp://a'}", "http or https"),
        ("crm: {base_url: 'https://u:p@a'}", "credentials"),
        ("crm: {base_url: 'https://a?x=1'}", "without query"),
        ("crm: {base_url: 'https://a', bearer: geheim}", "env:NAME"),
        ("crm: {base_url: 'https://a', token: x}", "token"),
    ],
)
def test_parse_connections_names_what_is_wrong(text: str, said: str) -> None:
    """The entry and the reason are in the message."""
    with pytest.raises(ConnectionsInvalidError, match=said):
        parse_connections(text)


@pytest.mark.parametrize("path", ["", "/", "/customers", "/customers?email=a@b.c&next=../x", "/a..b/c"])
def test_url_joins_paths(path: str) -> None:
    """A path is appended as it is."""
    assert Connection(base_url="https://crm.example/v1").url(path) == f"https://crm.example/v1{path}"


@pytest.mark.parametrize(
    "path",
    ["customers", "@evil.example/", "//evil.example", "/../admin", "/a/%2e%2e/b", "/a/%252e%252e/b", "/a\\..\\b"],
)
def test_url_refuses_paths_that_leave_the_base(path: str) -> None:
    """Data in a path does not change the host and does not climb."""
    with pytest.raises(PathRefusedError):
        Connection(base_url="https://crm.example/v1").url(path)


def test_connection_named_lists_those_there_are() -> None:
    """A misspelt name is answered with the right ones."""
    with pytest.raises(UnknownConnectionError, match="'cmr'; there are: crm"):
        connection_named(parse_connections(TEXT), "cmr")

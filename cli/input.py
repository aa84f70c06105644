"""JSON that a person gives on the command line: the text itself, `@FILE`, or `-` for standard input."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cli.exits import BadInputError
from contracts.json import Json, decode


class JsonParameter(click.ParamType[Json]):
    """An option whose value is JSON."""

    name = "JSON|@FILE|-"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Json:
        """Read the JSON document."""
        if not isinstance(value, str):
            return value  # type: ignore[return-value]  # a default, which is JSON already
        try:
            return decode(_text(value).encode())
        except ValueError as error:  # no JSON, or no UTF-8
            self.fail(f"{value[:60]!r} is no JSON: {error}", param, ctx)


JSON = JsonParameter()


def _text(value: str) -> str:
    if value == "-":
        return sys.stdin.read()
    if not value.startswith("@"):
        return value
    try:
        return Path(value[1:]).read_text(encoding="utf-8")
    except OSError as error:
        raise BadInputError(f"{value[1:]} cannot be read: {error.strerror}.") from error

"""`saga webhooks sign`: a signed delivery as a curl line, for trying a source out."""

from __future__ import annotations

import shlex
import uuid
from datetime import UTC, datetime
from pathlib import Path

import click

from bridge.http.sources import Source
from cli.exits import BadInputError
from cli.secrets import resolve_secret
from cli.webhooks import load_sources
from workflows.language.diagnostics import did_you_mean


@click.command("sign")
@click.argument("name", metavar="SOURCE")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--url", default="http://127.0.0.1:8080", show_default=True, help="Where the bridge listens.")
@click.option("--id", "delivery_id", help="Id of the delivery.  [default: a new one]")
def command(name: str, file: Path, url: str, delivery_id: str | None) -> None:
    """Sign a body as SOURCE would, and print the curl line that sends it.

    The first of the source's secrets signs. The line holds the signature and never the secret; a signature that
    holds a time is good for a few minutes.

    \b
    Examples:
      saga webhooks sign shop order.json
      saga webhooks sign shop order.json | sh
      saga webhooks sign shop order.json --url https://hooks.example.com
    """
    source, body = _source(name), _body(file)
    key = source.scheme.key(resolve_secret(source.secrets[0]))
    headers = source.scheme.sign(body, key, delivery_id or str(uuid.uuid4()), datetime.now(UTC))
    click.echo(" \\\n  ".join(_line(f"{url.rstrip('/')}{source.path}", headers, file)))


def _source(name: str) -> Source:
    sources = load_sources()
    if name not in sources:
        raise BadInputError(f"There is no source {name!r} in webhooks.yaml; {did_you_mean(name, sources)}".rstrip("; "))
    return sources[name]


def _body(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BadInputError(f"{file} cannot be read: {error.strerror}.") from error


def _line(url: str, headers: dict[str, str], file: Path) -> list[str]:
    given = {"content-type": "application/json", **headers}
    return [
        f"curl -sS {shlex.quote(url)}",
        *(f"-H {shlex.quote(f'{name}: {value}')}" for name, value in given.items()),
        f"--data-binary {shlex.quote(f'@{file}')}",
    ]

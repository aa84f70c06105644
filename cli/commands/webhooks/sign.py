"""`saga webhooks sign`: a signed delivery as a curl line, for trying a source out."""

from __future__ import annotations

import shlex
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import click

from bridge.http.signatures.shared_token import SharedToken
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
    holds a time is good for a few minutes. A token is no signature but the secret itself: for it the line names the
    variable or the file, and the shell that runs it puts the token in.

    \b
    Examples:
      saga webhooks sign shop order.json
      saga webhooks sign shop order.json | sh
      saga webhooks sign shop order.json --url https://hooks.example.com
    """
    source, body = _source(name), _body(file)
    key = source.scheme.key(resolve_secret(source.secrets[0]))
    headers = source.scheme.sign(body, key, delivery_id or str(uuid.uuid4()), datetime.now(UTC))
    told = {name: shlex.quote(f"{name}: {value}") for name, value in headers.items()}
    if isinstance(source.scheme, SharedToken):
        told[source.scheme.header] = _by_reference(source.scheme, source.secrets[0])
    click.echo(" \\\n  ".join(_line(f"{url.rstrip('/')}{source.path}", told.values(), file)))


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


def _by_reference(scheme: SharedToken, reference: str) -> str:
    """Return a header for the shell, which resolves the reference to the token as we do."""
    kind, _, name = reference.partition(":")
    token = f'"${name}"' if kind == "env" else f'"$(cat {shlex.quote(name)})"'
    return f"{shlex.quote(f'{scheme.header}: {scheme.prefix}')}{token}"


def _line(url: str, headers: Iterable[str], file: Path) -> list[str]:
    return [
        f"curl -sS {shlex.quote(url)}",
        *(f"-H {header}" for header in ("'content-type: application/json'", *headers)),
        f"--data-binary {shlex.quote(f'@{file}')}",
    ]

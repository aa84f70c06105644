"""`saga webhooks list`: the sources of webhooks, and whether their secrets can be had."""

from __future__ import annotations

import click

from bridge.http.sources import Source
from cli.output import print_json, print_table
from cli.secrets import resolve_secret
from cli.webhooks import load_sources
from contracts.errors import PermanentError
from contracts.json import Json


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def command(as_json: bool) -> None:
    """List who may send webhooks: scheme, address, type of the event, and whether each secret is there.

    The sources are in webhooks.yaml, in the folder of the definitions. Secrets are looked for in this command's own
    environment, which may be another than the bridge's.

    \b
    Examples:
      saga webhooks list
      saga webhooks list --json | jq '.[].path'
    """
    sources = load_sources().values()
    if as_json:
        print_json([_document(source) for source in sources])
    elif sources:
        print_table(("SOURCE", "SCHEME", "PATH", "EVENT TYPE", "SECRETS"), [_row(source) for source in sources])
    else:
        click.echo("There is no source of webhooks; webhooks.yaml says who may send some.")


def _row(source: Source) -> tuple[str, str, str, str, str]:
    secrets = ", ".join(f"{reference} ({state(source, reference)})" for reference in source.secrets)
    return source.name, source.scheme.name, source.path, str(source.type.value), secrets


def _document(source: Source) -> dict[str, Json]:
    return {
        "name": source.name,
        "scheme": source.scheme.name,
        "path": source.path,
        "type": source.type.value,
        "secrets": {reference: state(source, reference) for reference in source.secrets},
        "tolerance_seconds": source.tolerance.total_seconds() if source.scheme.signs_time else None,
        "max_body_bytes": source.max_body_bytes,
    }


def state(source: Source, reference: str) -> str:
    """Return `ok`, or the code of what is wrong with a secret."""
    try:
        source.scheme.key(resolve_secret(reference))
    except PermanentError as error:
        return error.code
    return "ok"

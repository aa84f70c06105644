"""`saga events schema`: what the data of events must look like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cli.event_schemas import definitions_option, known_schema, load_registry
from cli.output import print_json, print_table


@click.command("schema")
@click.argument("event_type", required=False, metavar="[TYPE]")
@click.argument("version", required=False)
@definitions_option
def command(event_type: str | None, version: str | None, folder: Path | None) -> None:
    """List the schemas of events, or show one.

    Without a version it is the highest. A type without a schema may hold what it likes.

    \b
    Examples:
      saga events schema
      saga events schema order.placed
      saga events schema order.placed 1.0 > order-placed.schema.json
    """
    registry = load_registry(folder)
    if event_type is not None:
        print_json(known_schema(registry, event_type, version).document)
        return
    rows = [(each.type, each.version, _required(each.document), each.file) for each in registry.all()]
    print_table(("TYPE", "VERSION", "REQUIRED", "FILE"), rows)


def _required(document: dict[str, Any] | bool) -> str:
    names = document.get("required", ()) if isinstance(document, dict) else ()
    return ", ".join(map(str, names)) or "-"

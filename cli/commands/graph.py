"""`saga graph`: a definition as a picture."""

from __future__ import annotations

from pathlib import Path

import click

from cli.definitions import definitions_option, load_library, resolve
from workflows.language.graph import mermaid


@click.command("graph")
@click.argument("name", metavar="DEFINITION[@VERSION]|FILE")
@definitions_option
def command(name: str, paths: tuple[Path, ...]) -> None:
    """Print a definition as a Mermaid flowchart.

    Mermaid is drawn by GitHub, GitLab, many editors and https://mermaid.live.

    \b
    Examples:
      saga graph agent-creation
      saga graph order-fulfilment@1.0.0 > order.mmd
      saga graph definitions/agent-creation.yaml
    """
    if Path(name).is_file():
        (definition, *_) = load_library([Path(name)]).current()
    else:
        definition = resolve(load_library(paths), name)
    click.echo(mermaid(definition.plan).rstrip())

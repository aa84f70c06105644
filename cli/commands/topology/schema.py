"""`saga topology schema`: what editors need in order to complete topology.yaml while one types."""

from __future__ import annotations

import click

from bridge.topology.schema import topology_schema
from cli.output import print_json


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of topology.yaml, for completion in editors.

    \b
    Examples:
      saga topology schema > topology.schema.json
    """
    print_json(topology_schema())

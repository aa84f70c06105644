"""`saga schema`: what editors need in order to complete and check while one types."""

from __future__ import annotations

import click

from activities.registry import catalog
from cli.output import print_json
from workflows.language.schema import definition_schema


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of a definition, for completion in editors.

    In a YAML file, editors with a YAML language server take it from a first line such as
    `# yaml-language-server: $schema=../definition.schema.json`.

    \b
    Examples:
      saga schema > definition.schema.json
    """
    print_json(definition_schema(catalog()))

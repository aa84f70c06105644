"""Where the commands find the schemas of events: in the folder `events` beside the definitions."""

from __future__ import annotations

from pathlib import Path

import click

from bridge.schemas.files import FOLDER, Schema, SchemaFiles, read_schema, read_schemas
from bridge.schemas.registry import SchemaRegistry
from cli.definitions import default_folder, rendered
from cli.exits import BadInputError, Exit, ReportedError
from workflows.language.diagnostics import Diagnostic, did_you_mean

definitions_option = click.option(
    "--definitions",
    "-d",
    "folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="The folder that holds events/TYPE/VERSION.yaml. [default: ./definitions, else the one that ships]",
)


def load_registry(folder: Path | None) -> SchemaRegistry:
    """Return the schemas in a folder of definitions; None = the usual one.

    Raises:
        ReportedError: They have errors, which were shown.
        BadInputError: There is no such folder.
    """
    files = read_schemas((folder or default_folder()) / FOLDER)
    show(files.diagnostics, files)
    if files.failed:
        raise ReportedError(Exit.BAD_INPUT)
    return SchemaRegistry(files.schemas)


def known_schema(registry: SchemaRegistry, event_type: str, version: str | None) -> Schema:
    """Return the schema of a type and version, without one of the highest.

    Raises:
        BadInputError: There is none.
    """
    versions = registry.versions(event_type)
    if not versions:
        hint = did_you_mean(event_type, {schema.type for schema in registry.all()})
        raise BadInputError(f"There is no schema of {event_type!r}{f'; {hint}' if hint else ''}")
    wanted = versions[-1] if version is None else version
    for schema in registry.all():
        if (schema.type, schema.version) == (event_type, wanted):
            return schema
    raise BadInputError(f"There is no version {wanted!r} of {event_type}; there are: {', '.join(versions)}.")


def schema_in(file: Path) -> Schema:
    """Return the schema in a file, wherever it stands.

    Raises:
        BadInputError: There is no such file.
        ReportedError: It has errors, which were shown.
    """
    if not file.is_file():
        raise BadInputError(f"There is no file {str(file)!r}. Of a type in the folder: TYPE OLD-VERSION NEW-VERSION.")
    schema, diagnostics, text = read_schema(file)
    show(diagnostics, SchemaFiles((), diagnostics, {each.file: text for each in diagnostics}))
    if schema is None:
        raise ReportedError(Exit.BAD_INPUT)
    return schema


def show(diagnostics: tuple[Diagnostic, ...], files: SchemaFiles) -> None:
    """Print every diagnostic with its line, on stderr."""
    for diagnostic in diagnostics:
        click.echo(rendered(diagnostic, files.texts.get(diagnostic.file, "")), err=True)
        click.echo(err=True)

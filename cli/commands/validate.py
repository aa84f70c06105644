"""`saga validate`: every mistake in the definitions and event schemas, at once, each with its line; starts nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from bridge.schemas.files import FOLDER, Schema, SchemaFiles, read_schemas
from cli.definitions import compile_files, default_folder, show_diagnostics
from cli.event_schemas import show
from cli.exits import Exit
from cli.output import counted, print_json
from contracts.json import Json
from workflows.language.compiler import Compilation
from workflows.language.diagnostics import Diagnostic
from workflows.language.triggers import Definition


@click.command("validate")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE|FOLDER]...")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document: definitions and diagnostics.")
def command(paths: tuple[Path, ...], as_json: bool) -> int:
    """Check definitions and show all that is wrong with them.

    Without a name it checks ./definitions, or the definitions that ship with the product. The schemas of events in a
    folder (events/TYPE/VERSION.yaml) are checked with it.

    \b
    Examples:
      saga validate
      saga validate definitions/agent-creation.yaml
      saga validate definitions/ --json | jq '.diagnostics[].code'
    """
    compilation = compile_files(paths)
    schemas = [read_schemas(folder / FOLDER) for folder in paths or (default_folder(),) if folder.is_dir()]
    is_good = compilation.ok and not any(files.failed for files in schemas)
    if as_json:
        print_json(_document(compilation, schemas, is_good))
    else:
        show_diagnostics(compilation)
        for files in schemas:
            show(files.diagnostics, files)
        click.echo(_summary(compilation, schemas))
    return Exit.OK if is_good else Exit.BAD_INPUT


def _summary(compilation: Compilation, schemas: Sequence[SchemaFiles]) -> str:
    found = _diagnostics(compilation, schemas)
    errors = sum(diagnostic.severity == "error" for diagnostic in found)
    noted = counted(len(found) - errors, "warning")
    files = len(compilation.texts) + sum(len(each.texts) for each in schemas)
    if errors or compilation.library is None:
        bad = len({diagnostic.file for diagnostic in found if diagnostic.severity == "error"})
        text = f"{counted(errors, 'error')}, {noted}, in {bad} of {counted(files, 'file')}."
        return click.style(text, fg="red")
    count = counted(len(compilation.library.all()), "definition")
    checked = sum(len(each.schemas) for each in schemas)
    also = f" and {counted(checked, 'event schema')}" if checked else ""
    return click.style(f"{count}{also} in {counted(files, 'file')}: no errors, {noted}.", fg="green")


def _diagnostics(compilation: Compilation, schemas: Sequence[SchemaFiles]) -> list[Diagnostic]:
    return [*compilation.diagnostics, *(diagnostic for files in schemas for diagnostic in files.diagnostics)]


def _document(compilation: Compilation, schemas: Sequence[SchemaFiles], is_good: bool) -> dict[str, Json]:
    library = compilation.library
    return {
        "ok": is_good,
        "files": len(compilation.texts),
        "definitions": [_definition(each) for each in (library.all() if library else ())],
        "event_schemas": [_schema(each) for files in schemas for each in files.schemas],
        "diagnostics": [diagnostic.to_json() for diagnostic in _diagnostics(compilation, schemas)],
    }


def _schema(schema: Schema) -> dict[str, Json]:
    return {"type": schema.type, "version": schema.version, "file": schema.file}


def _definition(definition: Definition) -> dict[str, Json]:
    return {
        "id": definition.id,
        "version": definition.version,
        "digest": definition.plan.digest,
        "file": definition.file,
        "steps": len(definition.plan.nodes),
    }

"""`saga validate`: every mistake in the definitions, at once, each with its line; starts nothing."""

from __future__ import annotations

from pathlib import Path

import click

from cli.definitions import compile_files, show_diagnostics
from cli.exits import Exit
from cli.output import counted, print_json
from contracts.json import Json
from workflows.language.compiler import Compilation
from workflows.language.triggers import Definition


@click.command("validate")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE|FOLDER]...")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document: definitions and diagnostics.")
def command(paths: tuple[Path, ...], as_json: bool) -> int:
    """Check definitions and show all that is wrong with them.

    Without a name it checks ./definitions, or the definitions that ship with the product.

    \b
    Examples:
      saga validate
      saga validate definitions/agent-creation.yaml
      saga validate definitions/ --json | jq '.diagnostics[].code'
    """
    compilation = compile_files(paths)
    if as_json:
        print_json(_document(compilation))
    else:
        show_diagnostics(compilation)
        click.echo(_summary(compilation))
    return Exit.OK if compilation.ok else Exit.BAD_INPUT


def _summary(compilation: Compilation) -> str:
    found = compilation.diagnostics
    errors = sum(diagnostic.severity == "error" for diagnostic in found)
    noted = counted(len(found) - errors, "warning")
    if errors or compilation.library is None:
        bad = len({diagnostic.file for diagnostic in found if diagnostic.severity == "error"})
        text = f"{counted(errors, 'error')}, {noted}, in {bad} of {counted(len(compilation.texts), 'file')}."
        return click.style(text, fg="red")
    count = counted(len(compilation.library.all()), "definition")
    return click.style(f"{count} in {counted(len(compilation.texts), 'file')}: no errors, {noted}.", fg="green")


def _document(compilation: Compilation) -> dict[str, Json]:
    library = compilation.library
    return {
        "ok": compilation.ok,
        "files": len(compilation.texts),
        "definitions": [_definition(each) for each in (library.all() if library else ())],
        "diagnostics": [diagnostic.to_json() for diagnostic in compilation.diagnostics],
    }


def _definition(definition: Definition) -> dict[str, Json]:
    return {
        "id": definition.id,
        "version": definition.version,
        "digest": definition.plan.digest,
        "file": definition.file,
        "steps": len(definition.plan.nodes),
    }

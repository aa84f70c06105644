"""Reads the definitions from disk, has them compiled, and shows what is wrong with them.

A folder is walked for `.yaml`, `.yml` and `.json`; what else lives beside definitions (event schemas, connections,
the broker's topology, hidden files) is left out. Where nothing is named it is `./definitions`, and where that is
missing the definitions that ship with the product, so that an installed wheel has something to run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import click

from activities.registry import catalog
from cli.exits import BadInputError, Exit, ReportedError
from cli.settings import load_settings
from workflows.language.compiler import Compilation, compile_sources
from workflows.language.diagnostics import Diagnostic, did_you_mean, render
from workflows.language.library import Library
from workflows.language.triggers import Definition

_SUFFIXES = frozenset({".yaml", ".yml", ".json"})
_OTHER_FOLDERS = frozenset({"events", "tests"})
_OTHER_FILES = frozenset({"connections", "topology", "webhooks"})
# More than the compiler takes, so that it is the compiler that says so; less than what would fill the memory.
_READ_BYTES = 8 * 1024 * 1024

definitions_option = click.option(
    "--definitions",
    "-d",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE|FOLDER",
    help="Where the definitions are; may be given several times. [default: ./definitions, else those that ship]",
)


def default_folder() -> Path:
    """Return the folder of the settings (`./definitions`), or the one of those that ship where there is none.

    Raises:
        BadInputError: There is neither.
    """
    folder = load_settings().definitions
    if folder.is_dir():
        return folder
    spec = find_spec("definitions")
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        raise BadInputError(f"There is no folder {str(folder)!r}: name the files or folders that hold definitions.")
    return Path(places[0])


def compile_files(paths: Sequence[Path]) -> Compilation:
    """Compile the definitions in files and folders; none named = `default_folder()`.

    Raises:
        BadInputError: A path does not exist or cannot be read, or there is no definition at all.
    """
    chosen = tuple(paths) or (default_folder(),)
    sources = {_shown(file): _read(file) for path in chosen for file in definition_files(path)}
    if not sources:
        raise BadInputError(f"There is no definition (.yaml, .yml, .json) in {', '.join(map(str, chosen))}.")
    return compile_sources(sources, catalog())


def load_library(paths: Sequence[Path]) -> Library:
    """Compile definitions and return them; warnings are shown.

    Raises:
        ReportedError: They have errors, which were shown.
        BadInputError: As `compile_files`.
    """
    compilation = compile_files(paths)
    show_diagnostics(compilation)
    if compilation.library is None:
        raise ReportedError(Exit.BAD_INPUT)
    return compilation.library


def resolve(library: Library, name: str) -> Definition:
    """Return the definition that `id` or `id@version` means.

    Raises:
        BadInputError: There is none; the message suggests the nearest.
    """
    definition = library.resolve(name)
    if definition is None:
        hint = did_you_mean(name, library.type_names())
        raise BadInputError(f"There is no definition {name!r}{f'; {hint}' if hint else ''}")
    return definition


def definition_files(path: Path) -> Iterator[Path]:
    """Yield the definition files of a folder in the order of their names; a file is itself.

    Raises:
        BadInputError: There is nothing at this path.
    """
    if path.is_file():
        yield path
        return
    if not path.is_dir():
        raise BadInputError(f"There is no file or folder {str(path)!r}.")
    for folder, folders, files in os.walk(path):
        at_top = Path(folder) == path
        folders[:] = sorted(name for name in folders if not _is_left_out(name, at_top))
        yield from (Path(folder, name) for name in sorted(files) if _holds_definition(Path(name), at_top))


def show_diagnostics(compilation: Compilation) -> None:
    """Print every diagnostic with its line, on stderr."""
    for diagnostic in compilation.diagnostics:
        click.echo(rendered(diagnostic, compilation.texts.get(diagnostic.file, "")), err=True)
        click.echo(err=True)


def rendered(diagnostic: Diagnostic, source: str) -> str:
    """Return a diagnostic in colour."""
    colour = "red" if diagnostic.severity == "error" else "yellow"
    heading, *rest = render(diagnostic, source).splitlines()
    word, separator, message = heading.partition(": ")
    lines = [f"{click.style(word, fg=colour, bold=True)}{separator}{click.style(message, bold=True)}"]
    return "\n".join((*lines, *(_coloured(line, colour) for line in rest)))


def _coloured(line: str, colour: str) -> str:
    margin, bar, excerpt = line.partition(" | ")
    if bar and not margin.strip() and excerpt.strip().startswith("^"):
        return f"{margin}{bar}{click.style(excerpt, fg=colour, bold=True)}"
    return click.style(line, fg="cyan") if line.strip().startswith(("= hint", "-->")) else line


def _is_left_out(name: str, at_top: bool) -> bool:
    return name.startswith(".") or name == "__pycache__" or (at_top and name in _OTHER_FOLDERS)


def _holds_definition(name: Path, at_top: bool) -> bool:
    is_other = at_top and name.stem in _OTHER_FILES
    return name.suffix in _SUFFIXES and not name.name.startswith(".") and not is_other


def _shown(file: Path) -> str:
    absolute = file.absolute()
    return str(absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else file)


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(_READ_BYTES)
    except OSError as error:
        raise BadInputError(f"{file} cannot be read: {error.strerror}.") from error

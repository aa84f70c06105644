"""The sources of webhooks on disk: `webhooks.yaml` in the folder of the definitions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from bridge.http.sources import FILE, Source, read_sources
from cli.definitions import default_folder, rendered
from cli.exits import BadInputError, Exit, ReportedError


def load_sources(folder: Path | None = None) -> Mapping[str, Source]:
    """Return the sources; none where there is no file. What is wrong with it is shown.

    Args:
        folder: Where the file is; None = the folder of the definitions.

    Raises:
        ReportedError: The file has errors, which were shown.
        BadInputError: It cannot be read.
    """
    file = (default_folder() if folder is None else folder) / FILE
    content = _read(file)
    if content is None:
        return {}
    found = read_sources(str(file), content)
    for diagnostic in found.diagnostics:
        click.echo(f"{rendered(diagnostic, found.text)}\n", err=True)
    if any(diagnostic.severity == "error" for diagnostic in found.diagnostics):
        raise ReportedError(Exit.BAD_INPUT)
    return found.by_name


def _read(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInputError(f"{file} cannot be read: {error.strerror}.") from error

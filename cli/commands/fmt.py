"""`saga fmt`: one usual form for definitions."""

from __future__ import annotations

from pathlib import Path

import click

from cli.definitions import default_folder, definition_files
from cli.exits import BadInputError, Exit, ReportedError
from cli.formatting import formatted
from cli.output import counted


@click.command("fmt")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE|FOLDER]...")
@click.option("--check", is_flag=True, help="Write nothing; exit with 2 when a file is not in the usual form.")
def command(paths: tuple[Path, ...], check: bool) -> None:
    """Write definitions in the one usual form: keys in snake case.

    Comments, order and layout stay as they are.

    \b
    Examples:
      saga fmt
      saga fmt definitions/agent-creation.yaml
      saga fmt --check
    """
    files = [file for path in paths or (default_folder(),) for file in definition_files(path)]
    changed = [file for file in files if _format(file, write=not check)]
    for file in changed:
        click.echo(f"{'would change' if check else 'changed'} {file}")
    click.echo(f"{counted(len(changed), 'file')} of {len(files)} {'would change' if check else 'changed'}.")
    if check and changed:
        raise ReportedError(Exit.BAD_INPUT)


def _format(file: Path, *, write: bool) -> bool:
    try:
        text = file.read_bytes().decode("utf-8")
        new = formatted(str(file), text)
        if new is None or new == text:
            return False
        if write:
            file.write_bytes(new.encode("utf-8"))
    except UnicodeDecodeError:
        return False
    except OSError as error:
        raise BadInputError(f"{file}: {error.strerror}.") from error
    return True

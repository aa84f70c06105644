"""`saga compat`: what changed between two versions of a definition, and whom it concerns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from bridge.schemas.compatibility import takes
from cli.definitions import definitions_option, load_library, resolve
from cli.exits import BadInputError, Exit
from cli.output import print_json
from contracts.json import Json
from workflows.language.compat import SEVERITIES, Difference, Severity, differences
from workflows.language.triggers import Definition

_COLOURS = {"breaking": "red", "careful": "yellow", "fine": "green"}
_SEVERITIES: dict[str, Severity] = {"breaks": "breaking", "unknown": "careful", "reserved": "careful"}


@click.command("compat")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
@definitions_option
def command(old: str, new: str, as_json: bool, paths: tuple[Path, ...]) -> int:
    """Say what changed between two versions of a definition, and whom it concerns.

    OLD and NEW are files, or versions such as order@1.0.0. Breaking is what somebody outside has to change for: who
    starts runs, decides, sends signals and events, or uses the result. Careful is what works on, but otherwise. Open
    runs are not concerned, they keep their version. The exit code is 1 if anything is breaking, else 0.

    \b
    Examples:
      saga compat order-fulfilment@1.0.0 order-fulfilment@1.1.0
      saga compat old.yaml new.yaml --json
    """
    before, after = _definition(old, paths), _definition(new, paths)
    found = sorted((*_input(before, after), *differences(before, after)), key=_rank)
    if as_json:
        print_json(_document(before, after, found))
    else:
        _show(before, after, found)
    return Exit.RUN_FAILED if any(each.severity == "breaking" for each in found) else Exit.OK


def _definition(name: str, paths: tuple[Path, ...]) -> Definition:
    if Path(name).is_file():
        (definition,) = load_library([Path(name)]).all()
        return definition
    if "@" not in name:
        raise BadInputError(f"{name!r} is neither a file nor a version such as order@1.0.0.")
    return resolve(load_library(paths), name)


def _input(old: Definition, new: Definition) -> Iterator[Difference]:
    """Compare the schemas of the input: the new version must take what callers send for the old one."""
    before, after = _schema(old), _schema(new)
    if before == after:
        return
    answer = takes(after, before)
    for finding, text in zip(answer.findings, answer.reasons(new.version, old.version), strict=True):
        yield Difference(_SEVERITIES[finding.level], "input", text)
    if not answer.findings:
        yield Difference("fine", "input", "It takes all that it took before.")


def _schema(definition: Definition) -> dict[str, Json] | bool:
    written = definition.plan.input_schema
    return True if written is None else written if isinstance(written, bool) else dict(written)


def _rank(difference: Difference) -> int:
    return SEVERITIES.index(difference.severity)


def _show(old: Definition, new: Definition, found: list[Difference]) -> None:
    click.echo(click.style(f"{old.id} {old.version} -> {new.id} {new.version}", bold=True))
    for each in found:
        word = click.style(each.severity.ljust(8), fg=_COLOURS[each.severity])
        click.echo(f"  {word}  {each.what}: {each.text}")
    if not found:
        click.echo("  Nothing that could be noticed changed.")


def _document(old: Definition, new: Definition, found: list[Difference]) -> dict[str, Json]:
    return {
        "old": f"{old.id}@{old.version}",
        "new": f"{new.id}@{new.version}",
        "compatible": all(each.severity != "breaking" for each in found),
        "differences": [{"severity": each.severity, "what": each.what, "text": each.text} for each in found],
    }

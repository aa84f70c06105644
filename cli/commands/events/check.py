"""`saga events check`: is a new schema compatible with the old one?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from pathlib import Path

import click

from bridge.schemas.compatibility import Answer, Compatibility, compare
from bridge.schemas.files import Schema, version_of
from bridge.schemas.registry import SchemaRegistry
from cli.event_schemas import definitions_option, known_schema, load_registry, schema_in
from cli.exits import BadInputError, Exit
from cli.output import print_json
from contracts.json import Json

_COLOURS = {"compatible": "green", "compatible with reservations": "green", "cannot be told": "yellow"}
_FILES, _VERSIONS = 2, 3


@click.command("check")
@click.argument("what", nargs=-1, metavar="[OLD-FILE NEW-FILE | TYPE OLD-VERSION NEW-VERSION]")
@definitions_option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document: both answers with their reasons.")
def command(what: tuple[str, ...], folder: Path | None, as_json: bool) -> int:
    """Say whether a new schema is compatible with the old one, and why not.

    There are two questions. "New reads old": does the new schema take what was written by the old one? Else events
    that are queued, logged or still being sent are refused. "Old reads new": does a consumer that was made for the old
    schema take what the new one allows? Else it has to be changed first.

    Without arguments every two neighbouring versions of one major version are compared. The exit code is 0 if all is
    compatible, else 1; what cannot be judged (a changed pattern, `not`, `if`) is not compatible.

    \b
    Examples:
      saga events check order.placed 1.0 1.1
      saga events check old.yaml new.yaml --json
      saga events check
    """
    results = [(old, new, compare(old.document, new.document)) for old, new in _pairs(what, folder)]
    if as_json:
        print_json([_document(old, new, result) for old, new, result in results])
    else:
        for old, new, result in results:
            _show(old, new, result)
        if not results:
            click.echo("No type has two versions of one major version: there is nothing to compare.", err=True)
    is_safe = all(result.new_reads_old.is_safe and result.old_reads_new.is_safe for _, _, result in results)
    return Exit.OK if is_safe else Exit.RUN_FAILED


def _pairs(what: Sequence[str], folder: Path | None) -> list[tuple[Schema, Schema]]:
    if len(what) == _FILES:
        return [(schema_in(Path(what[0])), schema_in(Path(what[1])))]
    registry = load_registry(folder)
    if len(what) == _VERSIONS:
        return [(known_schema(registry, what[0], what[1]), known_schema(registry, what[0], what[2]))]
    if what:
        raise BadInputError("Name two files, or a type and two versions; or nothing, for all neighbouring versions.")
    return list(_neighbours(registry))


def _neighbours(registry: SchemaRegistry) -> Iterator[tuple[Schema, Schema]]:
    for _, schemas in groupby(registry.all(), key=lambda each: (each.type, version_of(each.version)[0])):
        yield from pairwise(schemas)


def _show(old: Schema, new: Schema, result: Compatibility) -> None:
    names = _names(old, new)
    click.echo(click.style(f"{names[0]} -> {names[1]}", bold=True))
    _show_answer("New reads old", result.new_reads_old, names[1], names[0])
    _show_answer("Old reads new", result.old_reads_new, names[0], names[1])


def _show_answer(question: str, answer: Answer, reader: str, writer: str) -> None:
    word = click.style(answer.verdict, fg=_COLOURS.get(answer.verdict, "red"))
    click.echo(f"  {question}: {word}")
    for reason in answer.reasons(reader, writer):
        click.echo(f"    {reason}")


def _document(old: Schema, new: Schema, result: Compatibility) -> Json:
    names = _names(old, new)
    return {
        "old": old.file,
        "new": new.file,
        "new_reads_old": _answer(result.new_reads_old, names[1], names[0]),
        "old_reads_new": _answer(result.old_reads_new, names[0], names[1]),
    }


def _answer(answer: Answer, reader: str, writer: str) -> Json:
    texts = answer.reasons(reader, writer)
    findings: list[Json] = [
        {"pointer": each.pointer, "level": each.level, "text": text.partition(": ")[2]}
        for each, text in zip(answer.findings, texts, strict=True)
    ]
    return {"verdict": answer.verdict, "findings": findings}


def _names(old: Schema, new: Schema) -> tuple[str, str]:
    """Return short names where they differ, else the files."""
    return (old.version, new.version) if old.type == new.type and old.version != new.version else (old.file, new.file)

"""The files of the schemas: `definitions/events/<type>/<version>.yaml`, one for each type and version.

Reading never stops at the first mistake: what is wrong is a list of diagnostics, each with file and line, in the form
in which the definitions report theirs. YAML and JSON are read by the reader of the definitions, so a key given twice,
a bomb of aliases or a file of a gigabyte end in a diagnostic as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema_rs

from bridge.errors import MalformedEventError
from bridge.members import event_type
from bridge.schemas.checking import check_schema
from workflows.language.diagnostics import Diagnostic, Diagnostics
from workflows.language.source import MAX_BYTES, read_source
from workflows.language.tree import Position, plain

FOLDER = "events"
_SUFFIXES = frozenset({".yaml", ".yml", ".json"})
_VERSION = re.compile(r"(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})")
_START = Position(1, 1, 2)

Version = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Schema:
    """The schema of the data of one version of a type.

    Attributes:
        type: The event's type.
        version: Such as `1.0`.
        file: Where it stands, for messages.
        document: The JSON Schema.
        validator: The same, compiled.
    """

    type: str
    version: str
    file: str
    document: dict[str, Any] | bool
    validator: jsonschema_rs.Draft202012Validator


@dataclass(frozen=True, slots=True)
class SchemaFiles:
    """What a folder holds.

    Attributes:
        schemas: Those without an error, by type and version.
        diagnostics: Errors and warnings, in the order of the files.
        texts: The text of each file, for `render`.
    """

    schemas: tuple[Schema, ...]
    diagnostics: tuple[Diagnostic, ...]
    texts: Mapping[str, str]

    @property
    def failed(self) -> bool:
        """Tell whether there is an error; warnings are none."""
        return any(diagnostic.severity == "error" for diagnostic in self.diagnostics)


def read_schemas(folder: Path) -> SchemaFiles:
    """Read every schema below `definitions/events`; a folder that does not exist holds none. Never raises."""
    schemas: dict[tuple[str, Version], Schema] = {}
    found: list[Diagnostic] = []
    texts: dict[str, str] = {}
    for file in _files(folder):
        report = Diagnostics(_shown(file))
        schema, texts[report.file] = _read(file, report)
        if schema is not None:
            first = schemas.setdefault((schema.type, version_of(schema.version)), schema)
            if first is not schema:
                report.error(_START, "duplicate-schema", f"{first.file} is of the same type and version")
        found += report.found
    return SchemaFiles(tuple(schemas[key] for key in sorted(schemas)), tuple(found), texts)


def read_schema(file: Path) -> tuple[Schema | None, tuple[Diagnostic, ...], str]:
    """Read one schema, wherever it stands; return it (None where there is an error), what is wrong, and the text."""
    report = Diagnostics(_shown(file))
    schema, text = _schema_in(file, report, file.parent.name, file.stem)
    return schema, tuple(report.found), text


def version_of(text: str) -> Version:
    """Return a schema's version as numbers; `text` has passed the check of its file's name."""
    major, minor = text.split(".")
    return int(major), int(minor)


def _files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        for path in sorted(folder.rglob("*")):
            is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
            if path.is_file() and path.suffix in _SUFFIXES and not is_hidden:
                yield path


def _read(file: Path, report: Diagnostics) -> tuple[Schema | None, str]:
    kind, version = file.parent.name, file.stem
    try:
        event_type(kind, "type")
    except MalformedEventError:
        report.error(
            _START, "schema-name", f"{kind!r} is no type of an event", "words with dots: order.placed/1.0.yaml"
        )
        return None, ""
    if _VERSION.fullmatch(version) is None:
        message = f"{file.name!r} does not name a version"
        report.error(_START, "schema-name", message, "two numbers with a dot between, such as 1.0.yaml")
        return None, ""
    return _schema_in(file, report, kind, version)


def _schema_in(file: Path, report: Diagnostics, kind: str, version: str) -> tuple[Schema | None, str]:
    source = read_source(report.file, _content(file, report))
    report.found.extend(source.diagnostics)
    if source.tree is None or report.failed:
        return None, source.text
    validator = check_schema(source.tree, report)
    if validator is None:
        return None, source.text
    return Schema(kind, version, report.file, plain(source.tree), validator), source.text


def _content(file: Path, report: Diagnostics) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except OSError as error:
        report.error(_START, "source-unreadable", f"the file cannot be read: {error.strerror}")
        return b""


def _shown(file: Path) -> str:
    absolute = file.absolute()
    return str(absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else file)

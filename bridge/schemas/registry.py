"""Checks the data of events by type and version. Open world: a type without a schema may hold what it likes.

A version that is not known is read by the rules of semantic versions. A newer minor than any known one is checked by
the highest minor of its major, since minors only add; an unknown major is refused, because nobody knows what it means.
Each validator is compiled once, when the files are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Final

import jsonschema_rs

from bridge.schemas.errors import EventInvalidError, SchemasInvalidError
from bridge.schemas.files import Schema, Version, read_schemas, version_of
from contracts.envelope import Event
from contracts.json import Json
from workflows.language.diagnostics import render

_VERSION: Final = re.compile(r"(\d{1,6})(?:\.(\d{1,6}))?(?:\.\d{1,6})*")
_MOST_COMPLAINTS = 5
_LONGEST = 300


class SchemaRegistry:
    """The schemas of events by type and version; does not change once it is made."""

    def __init__(self, schemas: Iterable[Schema] = ()) -> None:
        """Hold `schemas`, of which no two are of one type and version."""
        self._by_type: dict[str, dict[Version, Schema]] = {}
        for schema in sorted(schemas, key=lambda each: (each.type, version_of(each.version))):
            self._by_type.setdefault(schema.type, {})[version_of(schema.version)] = schema

    def all(self) -> tuple[Schema, ...]:
        """Return every schema, by type and version."""
        return tuple(schema for versions in self._by_type.values() for schema in versions.values())

    def versions(self, event_type: str) -> tuple[str, ...]:
        """Return the known versions of a type, the lowest first; empty where it has no schema."""
        return tuple(schema.version for schema in self._by_type.get(event_type, {}).values())

    def schema_for(self, event_type: str, version: str) -> Schema | None:
        """Return the schema by which data of this type and version is checked; None = whatever it likes.

        Raises:
            EventInvalidError: The type has schemas, but none that this version can be read by.
        """
        known = self._by_type.get(event_type)
        if known is None:
            return None
        wanted = _numbers(version)
        chosen = None if wanted is None else known.get(wanted) or _highest_minor(known, wanted)
        if chosen is None:
            there = ", ".join(self.versions(event_type))
            raise EventInvalidError(f"{event_type} has no version {version[:50]!r}; there are: {there}.")
        return chosen

    def check(self, event: Event) -> None:
        """Check the data of an event.

        Raises:
            EventInvalidError: It does not fit, or there is no schema for its version; the detail names each member
                by JSON pointer, what was expected, and the schema's file. It holds no value of the data.
        """
        schema = self.schema_for(event.type, event.version)
        if schema is None or schema.validator.is_valid(event.data):
            return
        lines = complaints(schema, event.data)
        raise EventInvalidError(f"{event.type} {event.version}: {'; '.join(lines)} (schema {schema.file}).")


def load_schemas(folder: Path) -> SchemaRegistry:
    """Return the schemas below `definitions/events`; a folder that does not exist holds none.

    Raises:
        SchemasInvalidError: Some have mistakes; the detail shows each with its line.
    """
    files = read_schemas(folder)
    if files.failed:
        errors = [each for each in files.diagnostics if each.severity == "error"]
        raise SchemasInvalidError("\n" + "\n".join(render(each, files.texts.get(each.file, "")) for each in errors))
    return SchemaRegistry(files.schemas)


def complaints(schema: Schema, data: Json) -> list[str]:
    """Return what is wrong with data, a line each with its JSON pointer, the first few; empty = it fits."""
    found = islice(schema.validator.iter_errors(data), _MOST_COMPLAINTS)
    return [f"`{_pointer(error)}` {error.message[:_LONGEST]}" for error in found]


def _pointer(error: jsonschema_rs.ValidationError) -> str:
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in ("data", *error.instance_path))
    return "".join(f"/{part}" for part in parts)


def _numbers(version: str) -> Version | None:
    match = _VERSION.fullmatch(version)
    return None if match is None else (int(match[1]), int(match[2] or 0))


def _highest_minor(known: Mapping[Version, Schema], wanted: Version) -> Schema | None:
    """Return the highest minor of a major, if some lower minor than the wanted one is known."""
    minors = [minor for major, minor in known if major == wanted[0]]
    return known[wanted[0], max(minors)] if minors and min(minors) < wanted[1] else None

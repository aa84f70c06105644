"""The compiler: many files in, one library out, and everything that is wrong with them in one go.

Each file goes through `read_source`, `parse` and `check`; what spans files (an id and version given twice, a child
workflow that does not exist) is checked at the end. A definition in which nothing is wrong is lowered to its plan;
but a library is whole or there is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from contracts.actions import ActionSpec
from workflows.language import nodes
from workflows.language.check.rules import check_definition, check_library
from workflows.language.diagnostics import Diagnostic, in_order
from workflows.language.library import Library
from workflows.language.lower.definition import lower
from workflows.language.parse.definition import parse
from workflows.language.source import Source, read_source
from workflows.language.triggers import Definition


@dataclass(frozen=True, slots=True)
class Compilation:
    """What came of it.

    Attributes:
        library: The compiled definitions; None where there is an error.
        diagnostics: Errors and warnings, by file and place.
        texts: The text of each file, for `render`.
    """

    library: Library | None
    diagnostics: tuple[Diagnostic, ...]
    texts: Mapping[str, str]

    @property
    def ok(self) -> bool:
        """Tell whether there is no error; warnings are none."""
        return self.library is not None


def compile_sources(sources: Mapping[str, str | bytes], actions: Mapping[str, ActionSpec]) -> Compilation:
    """Compile definitions; never raises for what they hold.

    Args:
        sources: Text or UTF-8 bytes by file name.
        actions: Registered actions by name.
    """
    texts: dict[str, str] = {}
    found: list[Diagnostic] = []
    definitions: list[nodes.Definition] = []
    lowered: list[Definition] = []
    for file in sorted(sources):
        source, definition, front = _front(file, sources[file], actions)
        texts[file] = source.text
        found.extend(front)
        if definition is not None:
            definitions.append(definition)
            lowered += [] if _failed(front) else [lower(definition, actions)]
    found.extend(check_library(definitions))
    diagnostics = in_order(found)
    if _failed(diagnostics):
        return Compilation(None, diagnostics, texts)
    return Compilation(Library.of(lowered), diagnostics, texts)


def _front(
    file: str, content: str | bytes, actions: Mapping[str, ActionSpec]
) -> tuple[Source, nodes.Definition | None, list[Diagnostic]]:
    source = read_source(file, content)
    definition, shape = parse(source)
    found = [*source.diagnostics, *_without_echoes(shape, source.diagnostics)]
    if definition is not None:
        found.extend(_without_echoes(check_definition(definition, actions), found))
    return source, definition, found


def _without_echoes(checked: Iterable[Diagnostic], found: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Leave out what a stage says of a place at which the one before it found a mistake: it saw a stand-in."""
    wrong = {(diagnostic.line, diagnostic.column) for diagnostic in found if diagnostic.severity == "error"}
    return [diagnostic for diagnostic in checked if (diagnostic.line, diagnostic.column) not in wrong]


def _failed(diagnostics: Iterable[Diagnostic]) -> bool:
    return any(diagnostic.severity == "error" for diagnostic in diagnostics)

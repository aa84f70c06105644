"""The first stage: the bytes of a file become a positioned tree.

YAML by the core schema of YAML 1.2, which JSON is a part of. This module decodes; `composing` builds the tree from
the parser's events, `core_schema` reads single values, `yaml_hints` turns the parser's words into what an author can
act on. Nothing that a file holds makes `read_source` raise: an input that is too long, too deep, too much or no text
at all ends in a diagnostic with its place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from workflows.language.composing import StopReadingError, compose
from workflows.language.diagnostics import Diagnostic, Diagnostics
from workflows.language.tree import Position, Tree

MAX_BYTES = 1_048_576

_START = Position(1, 1, 2)
_BOM = "\ufeff"
_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was read; `tree` is None where it could not be read to its end."""

    file: str
    text: str
    tree: Tree | None
    diagnostics: tuple[Diagnostic, ...] = ()


def read_source(file: str, content: str | bytes) -> Source:
    """Return the positioned tree of one file, with what is wrong in it; never raises.

    Args:
        file: Name for the diagnostics; nothing is opened.
        content: The file's text, or its bytes in UTF-8 (a byte order mark is fine).
    """
    diagnostics = Diagnostics(file)
    text, tree = "", None
    try:
        text = _decoded(content, diagnostics)
        tree = compose(text, diagnostics)
    except StopReadingError:
        tree = None
    return Source(file, text, tree, tuple(diagnostics.found))


def _decoded(content: str | bytes, diagnostics: Diagnostics) -> str:
    if len(content) > MAX_BYTES:
        _stop(diagnostics, _START, "source-too-large", f"the file is larger than {MAX_BYTES:,} bytes")
    text = _from_utf8(content, diagnostics) if isinstance(content, bytes) else content
    text = text.removeprefix(_BOM)
    unreadable = _UNREADABLE.search(text)
    if unreadable:
        message = f"the character U+{ord(unreadable.group()):04X} is not allowed in a definition"
        hint = "remove it; in a text in double quotes it may be written as an escape, such as \\u0001"
        _stop(diagnostics, _behind(text[: unreadable.start()]), "source-encoding", message, hint)
    return text


def _from_utf8(content: bytes, diagnostics: Diagnostics) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        at = _behind(content[: error.start].decode("utf-8"))
        _stop(diagnostics, at, "source-encoding", "the file is not UTF-8 text", "save it as UTF-8")


def _behind(before: str) -> Position:
    column = len(before) - before.rfind("\n")
    return Position(before.count("\n") + 1, column, column + 1)


def _stop(diagnostics: Diagnostics, at: Position, code: str, message: str, hint: str = "") -> NoReturn:
    diagnostics.error(at, code, message, hint)
    raise StopReadingError

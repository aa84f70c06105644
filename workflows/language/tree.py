"""The positioned tree: what a file says, each value with the place where it says it.

Every stage behind `source` works on this tree and never on the text, so that YAML and JSON differ in nothing but
their spelling. Lines and columns count from 1; `end_column` is the first column behind the value on its first line. A
position needs no file: a tree belongs to one file, and the stage that reports adds its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Key = str | int

_BREAKS = re.compile("\r\n|[\r\n\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Position:
    """A stretch of one line."""

    line: int
    column: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value.

    Attributes:
        value: As YAML 1.2's core schema reads it.
        at: The value with its quotation marks, or the header (`|`) of a block scalar.
        first: Line and column of the text's first character where text and source agree character by character, or None
            (escapes, folded lines).
        indent: Column at which each further line of a literal block begins, or 0 for a text of one line.
    """

    value: bool | int | float | str | None
    at: Position
    first: tuple[int, int] | None = None
    indent: int = 0

    def within(self, offset: int, length: int = 1) -> Position:
        """Return where the characters from `offset` on stand, or the whole value's place where that cannot be told."""
        if self.first is None or not isinstance(self.value, str):
            return self.at
        before = self.value[:offset]
        breaks = before.count("\n")
        line, column = self.first
        start = self.indent + offset - before.rfind("\n") - 1 if breaks else column + offset
        return Position(line + breaks, start, start + max(length, 1))


@dataclass(frozen=True, slots=True)
class Items:
    """A sequence."""

    items: tuple[Tree, ...]
    at: Position


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a table with its value; `at` is the key's place."""

    key: str
    at: Position
    value: Tree


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping; keys are unique and keep the order of the file."""

    entries: tuple[Entry, ...]
    at: Position

    def get(self, *names: str) -> Entry | None:
        """Return the entry whose key is one of `names`, or None."""
        return next((entry for entry in self.entries if entry.key in names), None)


Tree = Scalar | Items | Table


def lines_of(text: str) -> list[str]:
    """Return the lines of a file as YAML counts them."""
    return _BREAKS.split(text)


def plain(tree: Tree) -> Any:
    """Return the tree as JSON, without places."""
    match tree:
        case Scalar():
            return tree.value
        case Items():
            return [plain(item) for item in tree.items]
        case Table():
            return {entry.key: plain(entry.value) for entry in tree.entries}


def find(tree: Tree, path: Sequence[Key]) -> Tree:
    """Return the deepest tree on `path` (keys and indexes from `tree` down) that exists."""
    for key in path:
        below = _child(tree, key)
        if below is None:
            return tree
        tree = below
    return tree


def scalars(tree: Tree, path: tuple[Key, ...] = ()) -> Iterator[tuple[tuple[Key, ...], Scalar]]:
    """Yield every single value below `tree` with its path, in the order of the file."""
    match tree:
        case Scalar():
            yield path, tree
        case Items():
            for number, item in enumerate(tree.items):
                yield from scalars(item, (*path, number))
        case Table():
            for entry in tree.entries:
                yield from scalars(entry.value, (*path, entry.key))


def _child(tree: Tree, key: Key) -> Tree | None:
    match tree:
        case Table():
            entry = tree.get(str(key))
            return entry.value if entry else None
        case Items() if isinstance(key, int) and 0 <= key < len(tree.items):
            return tree.items[key]
    return None

"""From the YAML parser's events to the positioned tree, in one loop.

A loader would take duplicate keys in silence, expand aliases without bound and recurse as deep as the input says.
This loop keeps its own stack, and stops at a depth, a number of values and the first alias, tag or second document.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NoReturn

import yaml

from workflows.language.core_schema import core_value, has_leading_zero
from workflows.language.diagnostics import Diagnostics
from workflows.language.tree import Entry, Items, Position, Scalar, Table, Tree, lines_of
from workflows.language.yaml_hints import QUOTE_EXPRESSION, reworded

MAX_DEPTH = 64
MAX_NODES = 50_000

_PARSER: type[yaml.CSafeLoader | yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_TEXT_TAG = "tag:yaml.org,2002:str"
_PLAIN_TAGS = frozenset({"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})


class StopReadingError(Exception):
    """The rest of the file cannot be read; the reason is among the diagnostics."""


def compose(text: str, diagnostics: Diagnostics) -> Tree:
    """Return the tree of the only document in `text`.

    Raises:
        StopReadingError: There is none, or it cannot be read to its end.
    """
    return _Composer(text, diagnostics).composed()


@dataclass(slots=True)
class _Open:
    """A sequence or mapping that is being read; `key` waits for its value."""

    start: Position
    is_table: bool
    items: list[Tree] = field(default_factory=list)
    entries: dict[str, Entry] = field(default_factory=dict)
    key: Scalar | None = None

    def closed(self) -> Tree:
        return (
            Table(tuple(self.entries.values()), self.start) if self.is_table else Items(tuple(self.items), self.start)
        )


class _Composer:
    """Builds the tree; `open` is the stack of what is not closed yet."""

    def __init__(self, text: str, diagnostics: Diagnostics) -> None:
        self.text = text
        self.diagnostics = diagnostics
        self.open: list[_Open] = []
        self.root: Tree | None = None
        self.nodes = 0

    @cached_property
    def lines(self) -> list[str]:
        return lines_of(self.text)

    def composed(self) -> Tree:
        loader = _PARSER(_with_whole_characters(self.text))
        try:
            while self._take(loader.get_event()):
                pass
        except yaml.YAMLError as error:
            self._refuse_yaml(error)
        finally:
            loader.dispose()
        if self.root is None:
            self._stop(Position(1, 1, 2), "source-empty", "the file holds no definition", "")
        return self.root

    def _take(self, event: object) -> bool:
        match event:
            case yaml.ScalarEvent():
                self._leaf(event)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._enter(event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._add(self.open.pop().closed())
            case yaml.AliasEvent():
                self._refuse_alias(event)
            case yaml.DocumentStartEvent():
                self._refuse_second(event)
            case yaml.StreamEndEvent():
                return False
        return True

    def _enter(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        at = _point(event.start_mark)
        if event.tag is not None and event.tag not in _PLAIN_TAGS:
            self._refuse_tag(at, event.tag)
        if self.open and self.open[-1].is_table and self.open[-1].key is None:
            self._stop(
                at, "yaml-key", "a key must be a text, not a list or a mapping", "a value with braces wants quotes"
            )
        if len(self.open) >= MAX_DEPTH:
            self._stop(at, "source-too-deep", f"values are nested deeper than {MAX_DEPTH} levels", "")
        self._count(at)
        self.open.append(_Open(at, isinstance(event, yaml.MappingStartEvent)))

    def _leaf(self, event: yaml.ScalarEvent) -> None:
        at = self._extent(event)
        self._count(at)
        if event.tag is not None and event.tag != _TEXT_TAG:
            self._refuse_tag(at, event.tag)
        top = self.open[-1] if self.open else None
        if top is not None and top.is_table and top.key is None:
            top.key = Scalar(event.value, at)
        else:
            self._add(self._scalar(event, at))

    def _add(self, tree: Tree) -> None:
        if not self.open:
            self.root = tree
            return
        top = self.open[-1]
        if top.key is None:
            top.items.append(tree)
            return
        self._add_entry(top.entries, Entry(str(top.key.value), top.key.at, tree))
        top.key = None

    def _add_entry(self, entries: dict[str, Entry], entry: Entry) -> None:
        first = entries.setdefault(entry.key, entry)
        if first is not entry:
            message = f"the key {entry.key!r:.80} stands here twice"
            self.diagnostics.error(entry.at, "yaml-duplicate-key", message, f"the first is in line {first.at.line}")

    def _scalar(self, event: yaml.ScalarEvent, at: Position) -> Scalar:
        if not event.style and event.tag is None:
            return self._plain(event, at)
        if event.style in ("|", ">"):
            return self._block(event, at)
        same = self._on_one_line(event) and at.end_column - at.column == len(event.value) + 2
        return Scalar(event.value, at, (at.line, at.column + 1) if same else None)

    def _plain(self, event: yaml.ScalarEvent, at: Position) -> Scalar:
        text = event.value
        if "${" in text and text.rfind("}") < text.rfind("${") and self._comment_follows(event.end_mark):
            message = "the expression ends at ' #', where a comment begins"
            self.diagnostics.error(at, "yaml-expression", message, QUOTE_EXPRESSION)
        value = self._value(text, at)
        if has_leading_zero(text):
            message = f"{text:.40} is read as the number {value}"
            self.diagnostics.warning(at, "yaml-leading-zero", message, "put a text into quotation marks")
        same = self._on_one_line(event) and at.end_column - at.column == len(text)
        return Scalar(value, at, (at.line, at.column) if same else None)

    def _value(self, text: str, at: Position) -> bool | int | float | str | None:
        try:
            return core_value(text)
        except ValueError as error:
            self.diagnostics.error(at, "yaml-number", str(error), "put it into quotation marks to pass it on as text")
            return None

    def _block(self, event: yaml.ScalarEvent, at: Position) -> Scalar:
        lines = event.value.rstrip("\n").split("\n")
        number = at.line
        written = self.lines[number] if number < len(self.lines) else ""
        indent = len(written) - len(lines[0])
        exact = written.endswith(lines[0]) and not written[:indent].strip()
        if exact and (event.style == "|" or len(lines) == 1) and lines[0]:
            return Scalar(event.value, at, (number + 1, indent + 1), indent + 1)
        return Scalar(event.value, at)

    def _extent(self, event: yaml.ScalarEvent) -> Position:
        start: Any = event.start_mark
        end: Any = event.end_mark
        if event.style in ("|", ">"):
            width = 1
        elif end.line > start.line:
            width = len(self.lines[start.line].rstrip()) - start.column
        else:
            width = end.column - start.column
        return Position(start.line + 1, start.column + 1, start.column + 1 + max(1, width))

    def _on_one_line(self, event: Any) -> bool:
        return bool(event.start_mark.line == event.end_mark.line)

    def _comment_follows(self, mark: Any) -> bool:
        behind: str = self.lines[mark.line][mark.column :]
        return behind.lstrip().startswith("#")

    def _count(self, at: Position) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self._stop(
                at, "source-too-large", f"the file holds more than {MAX_NODES:,} values", "split it into more files"
            )

    def _refuse_alias(self, event: yaml.AliasEvent) -> None:
        hint = "write the value out; a value that begins with * wants quotation marks"
        self._stop(_point(event.start_mark), "yaml-alias", f"aliases (*{event.anchor:.40}) are not supported", hint)

    def _refuse_tag(self, at: Position, tag: str) -> None:
        name = tag.replace("tag:yaml.org,2002:", "!!")
        hint = "a value that begins with ! wants quotation marks"
        self.diagnostics.error(at, "yaml-tag", f"tags ({name:.40}) are not supported", hint)

    def _refuse_second(self, event: yaml.DocumentStartEvent) -> None:
        if self.root is not None:
            self._stop(
                _point(event.start_mark), "yaml-documents", "a second document begins here", "one definition a file"
            )

    def _refuse_yaml(self, error: yaml.YAMLError) -> NoReturn:
        problem = str(getattr(error, "problem", None) or error)
        found = reworded(problem, self.lines, *self._marks(error))
        self._stop(found.at, found.code, found.message, found.hint)

    def _marks(self, error: yaml.YAMLError) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return where the parser stopped and where what it was reading began; lines and columns from 1."""
        stopped = getattr(error, "problem_mark", None)
        began = getattr(error, "context_mark", None) or stopped
        stopped = stopped or began
        places = [(mark.line + 1, mark.column + 1) if mark else (1, 1) for mark in (stopped, began)]
        return places[0], places[1]

    def _stop(self, at: Position, code: str, message: str, hint: str) -> NoReturn:
        self.diagnostics.error(at, code, message, hint)
        raise StopReadingError


def _point(mark: Any) -> Position:
    return Position(mark.line + 1, mark.column + 1, mark.column + 2)


def _with_whole_characters(text: str) -> str:
    """Join the halves in which JSON escapes a character beyond U+FFFF, which YAML's escapes do not know."""
    if "\\ud" not in text.lower() or not text.lstrip().startswith("{"):
        return text
    return _PAIR.sub(lambda match: f"{match[1]}\\U{_joined(match[2], match[3]):08x}", text)


def _joined(high: str, low: str) -> int:
    return 0x10000 + ((int(high, 16) - 0xD800) << 10) + (int(low, 16) - 0xDC00)

"""What the YAML parser says, in the words of an author.

A message such as "mapping values are not allowed in this context" is right and helps nobody. Here the offending line
and character decide which of the usual slips it was: an expression without quotation marks, a tab, a special
character.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from workflows.language.tree import Position

QUOTE_EXPRESSION = "quote an expression that holds ': ', ' #' or stands in braces, or write it as a block scalar (|)"
_QUOTE_TEXT = "put the whole value into quotation marks"
_KEY = "check the indentation; a value that begins with a quotation mark ends at the next one"
_SPECIAL = "`@%*&!|>"
_RELEVANT = {
    "mapping values are not allowed in this context": ("a ': ' stands in a value without quotation marks", _QUOTE_TEXT),
    "mapping values are not allowed here": ("a ': ' stands in a value without quotation marks", _QUOTE_TEXT),
    "could not find expected ':'": ("this line is no 'key: value'", "check the indentation and the colon"),
    "did not find expected key": ("a key is expected here", _KEY),
    "expected <block end>": ("a key is expected here", _KEY),
    "did not find expected '-' indicator": ("an item ('- ') is expected here", "check the indentation"),
    "did not find expected ',' or '}'": (
        "the '{' is not closed",
        "a ',' or '}' is expected; text with braces wants quotes",
    ),
    "did not find expected ',' or ']'": ("the '[' is not closed", "a ',' or ']' is expected"),
    "did not find expected node content": ("a value is expected here", "check the brackets and commas"),
    "found unexpected end of stream": ("the quotation mark is not closed", "add the missing one"),
    "while parsing a flow": ("a bracket is not closed or not opened", "check the brackets"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What to tell the author."""

    at: Position
    code: str
    message: str
    hint: str


def reworded(problem: str, lines: list[str], stopped: tuple[int, int], began: tuple[int, int]) -> Finding:
    """Return the finding for what the parser complains about.

    Args:
        problem: The parser's own words.
        lines: The lines of the file.
        stopped: Line and column, from 1, where the parser gave up.
        began: Where the value begins that it was reading.
    """
    line, column = _inside(lines, began if _is_blank(lines, stopped[0]) else stopped)
    text = lines[line - 1]
    at = Position(line, column, column + 1)
    if "\t" in text[: len(text) - len(text.lstrip())] or _character(lines, line, column) == "\t":
        return _tab(line, text)
    if _holds_bare_expression(text):
        message = f"an expression without quotation marks breaks the YAML: {problem}"
        return Finding(at, "yaml-expression", message, QUOTE_EXPRESSION)
    return Finding(at, "yaml-syntax", *_words(problem, _character(lines, *began)))


def _is_blank(lines: list[str], line: int) -> bool:
    """Tell whether nothing stands in the file from `line` on."""
    return not any(rest.strip() for rest in lines[line - 1 :])


def _inside(lines: list[str], place: tuple[int, int]) -> tuple[int, int]:
    """Return `place`, or the last character of the file where it lies behind it."""
    line = min(place[0], len(lines))
    if not _is_blank(lines, line):
        return line, place[1]
    last = max((number for number, text in enumerate(lines, 1) if text.strip()), default=1)
    return last, max(1, len(lines[last - 1].rstrip()))


def _holds_bare_expression(text: str) -> bool:
    before = [text[: match.start()] for match in re.finditer(r"\$\{", text)]
    return any(part.count('"') % 2 == 0 and part.count("'") % 2 == 0 for part in before)


def _character(lines: list[str], line: int, column: int) -> str:
    return lines[line - 1][column - 1 : column] if line <= len(lines) else ""


def _tab(line: int, text: str) -> Finding:
    column = text.index("\t") + 1
    message = "a tab indents this line"
    return Finding(Position(line, column, column + 1), "yaml-tab", message, "YAML is indented by spaces")


def _words(problem: str, character: str) -> tuple[str, str]:
    if character and character in _SPECIAL:
        return f"{character!r} has a meaning of its own at the beginning of a value", _QUOTE_TEXT
    for known, words in _RELEVANT.items():
        if known in problem:
            return words
    return f"this is no valid YAML: {problem}", ""

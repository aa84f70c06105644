"""Diagnostics: what is wrong in a definition, where, and what to do about it.

One form for every stage, so that `saga validate`, the editor and a script see the same. `code` is stable and listed in
docs/errors.md. `render` shows the offending line underlined, as plain text; colour is the command line's business. The
did-you-mean function lives here because a suggestion is part of a diagnostic and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from contracts.json import Json
from workflows.language.tree import Position, lines_of

Severity = Literal["error", "warning"]
_WIDEST_LINE = 160
_LONGEST_NAME = 64
_STEM = 4
_MOST_CHOICES = 20
_MOST_FINDINGS = 100


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding; `line`, `column` and `end_column` count from 1, `end_column` is exclusive."""

    file: str
    line: int
    column: int
    end_column: int
    code: str
    message: str
    hint: str = ""
    severity: Severity = "error"

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form; a missing hint is left out."""
        document: dict[str, Json] = {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "end_column": self.end_column,
            "severity": self.severity,
            "code": self.code,
            "message": self.message,
        }
        return document | ({"hint": self.hint} if self.hint else {})


@dataclass(slots=True)
class Diagnostics:
    """Collects the findings of one stage in one file; behind the hundredth they are no help and are left out."""

    file: str
    found: list[Diagnostic] = field(default_factory=list)

    def error(self, at: Position, code: str, message: str, hint: str = "") -> None:
        """Note an error at `at`."""
        self._add(at, code, message, hint, "error")

    def warning(self, at: Position, code: str, message: str, hint: str = "") -> None:
        """Note a warning at `at`: it is reported and stops nothing."""
        self._add(at, code, message, hint, "warning")

    @property
    def failed(self) -> bool:
        """Tell whether an error was noted."""
        return any(diagnostic.severity == "error" for diagnostic in self.found)

    @property
    def is_full(self) -> bool:
        """Tell whether whatever else is found will be left out."""
        return len(self.found) >= _MOST_FINDINGS

    def _add(self, at: Position, code: str, message: str, hint: str, severity: Severity) -> None:
        if not self.is_full:
            place = at.line, at.column, at.end_column
            self.found.append(Diagnostic(self.file, *place, code, message, hint, severity))


def in_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Return the diagnostics by file and place, each once."""
    unique = dict.fromkeys(diagnostics)
    return tuple(sorted(unique, key=lambda each: (each.file, each.line, each.column, each.code, each.message)))


def render(diagnostic: Diagnostic, source_text: str) -> str:
    """Return the diagnostic for a terminal: heading, place, the offending line underlined, hint.

    Args:
        diagnostic: What to show.
        source_text: Text of its file; where the line is not in it, the excerpt is left out.
    """
    margin = " " * len(str(diagnostic.line))
    parts = [
        f"{diagnostic.severity}[{diagnostic.code}]: {diagnostic.message}",
        f"{margin}--> {diagnostic.file}:{diagnostic.line}:{diagnostic.column}",
        *_excerpt(diagnostic, source_text, margin),
    ]
    if diagnostic.hint:
        parts.append(f"{margin} = hint: {diagnostic.hint}")
    return "\n".join(parts)


def suggestion(name: str, known: Iterable[str]) -> str | None:
    """Return the one of `known` that `name` was most likely meant to be, or None where nothing is near."""
    folded = _folded(name)
    limit = max(1, len(folded) // 3)
    candidates = [(_distance(folded, _folded(other), limit), other) for other in known]
    near = min(candidates, default=(limit + 1, ""))
    if near[0] <= limit and len(name) <= _LONGEST_NAME:
        return near[1]
    return next((other for _, other in sorted(candidates) if _same_stem(folded, _folded(other))), None)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint: the likely spelling, or the list of what there is, or nothing where there is nothing."""
    choices = sorted(set(known))
    best = suggestion(name, choices)
    if best is not None:
        return f"did you mean {best!r}?"
    more = " ..." if len(choices) > _MOST_CHOICES else ""
    return f"there are: {', '.join(choices[:_MOST_CHOICES])}{more}" if choices else ""


def _excerpt(diagnostic: Diagnostic, source_text: str, margin: str) -> list[str]:
    lines = lines_of(source_text)
    if not 1 <= diagnostic.line <= len(lines):
        return []
    line = lines[diagnostic.line - 1]
    start = max(0, diagnostic.column - 1)
    skipped = max(0, start - _WIDEST_LINE // 2) if len(line) > _WIDEST_LINE else 0
    shown = "".join(char if char.isprintable() else " " for char in line[skipped : skipped + _WIDEST_LINE])
    width = min(max(1, diagnostic.end_column - diagnostic.column), max(1, len(shown) - (start - skipped)))
    return [f"{margin} |", f"{diagnostic.line} | {shown}", f"{margin} | {' ' * (start - skipped)}{'^' * width}"]


def _folded(name: str) -> str:
    return name[: _LONGEST_NAME + 1].replace("-", "_").lower()


def _same_stem(left: str, right: str) -> bool:
    """Tell whether two words begin alike, as `retries` and `retry` do."""
    length = max(_STEM, len(left) // 2)
    return len(right) >= length and left[:length] == right[:length]


def _distance(left: str, right: str, limit: int) -> int:
    """Edit distance in which two swapped neighbours count one (optimal string alignment); given up above `limit`."""
    if abs(len(left) - len(right)) > limit or len(set(left) ^ set(right)) > 2 * limit:  # each edit changes two at most
        return limit + 1
    two_above: list[int] = []
    above = list(range(len(right) + 1))
    for i in range(1, len(left) + 1):
        row = [i]
        for j in range(1, len(right) + 1):
            cost = int(left[i - 1] != right[j - 1])
            best = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + cost)
            if i > 1 and j > 1 and left[i - 1] == right[j - 2] and left[i - 2] == right[j - 1]:
                best = min(best, two_above[j - 2] + 1)
            row.append(best)
        if min(row) > limit:
            return limit + 1
        two_above, above = above, row
    return above[-1]

"""What commands print: tables for people, JSON for scripts.

Plain text with click's colours, which vanish when the output is no terminal. A table is columns of text without
frames, so that `awk` and `cut` can read it too; only the live views need more than that (`cli.progress`).
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import click

from contracts.json import Json

_COLOURS = {
    "completed": "green",
    "ok": "green",
    "active": "green",
    "created": "green",
    "new": "green",
    "running": "cyan",
    "waiting": "yellow",
    "paused": "yellow",
    "recovered": "yellow",
    "updated": "yellow",
    "warning": "yellow",
    "compensating": "magenta",
    "undoing": "magenta",
    "undone": "magenta",
    "compensated": "magenta",
    "cancelled": "magenta",
    "skipped": "bright_black",
    "unchanged": "bright_black",
    "failed": "red",
    "not undone": "red",
    "timed-out": "red",
    "terminated": "red",
    "rollback-incomplete": "red",
    "removed": "red",
}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def print_json(value: Json) -> None:
    """Print a JSON document, indented."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under headings; the last column may be as long as it likes."""
    for line in table_lines(headings, rows):
        click.echo(line)


def table_lines(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table."""
    cleaned = [[clean(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in (headings, *cleaned)) for column in range(len(headings))]
    yield click.style(_joined(headings, headings, widths), bold=True)
    for row in cleaned:
        yield _joined(row, [coloured(cell) for cell in row], widths)


def coloured(word: str) -> str:
    """Return a status in its colour; other words as they are."""
    colour = _COLOURS.get(word)
    return click.style(word, fg=colour) if colour else word


def clean(text: str) -> str:
    """Return text that came from data as one line without control characters, which a terminal would obey."""
    return _CONTROL.sub("", text.replace("\n", " ").replace("\t", " "))


def when(milliseconds: int | None) -> str:
    """Return a moment for people, local time; empty where there is none."""
    if milliseconds is None:
        return ""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def duration(milliseconds: int) -> str:
    """Return a duration for people, such as `320 ms`, `4.2 s`, `3 min`, `5 h`, `2 d`."""
    seconds = milliseconds / 1000
    steps = ((1, milliseconds, "ms"), (60, seconds, "s"), (3600, seconds / 60, "min"), (86400, seconds / 3600, "h"))
    for limit, value, unit in steps:
        if seconds < limit:
            return f"{value:.1f} {unit}" if unit == "s" and value < 10 else f"{value:.0f} {unit}"  # noqa: PLR2004  # 4.2 s, but 42 s
    return f"{seconds / 86400:.0f} d"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as `1 file`, `2 files`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def is_terminal() -> bool:
    """Tell whether a person is looking: stdout is a terminal."""
    return sys.stdout.isatty()


def shortened(text: str, width: int) -> str:
    """Return text of at most `width` characters, with an ellipsis where it was cut."""
    return text if len(text) <= width else f"{text[: max(width - 1, 0)]}…"


def _joined(plain: Sequence[str], shown: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell + " " * (width - len(text)) for text, cell, width in zip(plain, shown, widths, strict=True)]
    return "  ".join((*padded[:-1], shown[-1])).rstrip()

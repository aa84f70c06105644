"""Live progress of a run: a table that changes in place on a terminal, one line for each change anywhere else.

Both are drawn from the `state` query alone. What changed between two states is a pure function; the rest is
drawing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click
from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from cli.output import clean, coloured, duration, is_terminal, shortened

State = Mapping[str, Any]

_MARKS = {
    "running": "●",
    "waiting": "◆",
    "undoing": "↺",
    "completed": "✓",
    "undone": "↺",
    "skipped": "·",
    "cancelled": "-",
    "failed": "✗",
    "not undone": "✗",
}
_STYLES = {
    "running": "cyan",
    "waiting": "yellow",
    "compensating": "magenta",
    "undoing": "magenta",
    "completed": "green",
    "recovered": "yellow",
    "undone": "magenta",
    "compensated": "magenta",
    "skipped": "bright_black",
    "cancelled": "magenta",
    "failed": "red",
    "not undone": "red",
    "rollback-incomplete": "red",
    "timed-out": "red",
}
_UNDO = "/compensate"
_UNDO_WORDS = {"running": "undoing", "completed": "undone", "failed": "not undone"}
_ROWS_SHOWN = 25


@dataclass(frozen=True)
class Step:
    """A row of the table of steps, as the state has it; times in milliseconds."""

    path: str
    status: str
    started: int
    ended: int | None
    detail: str

    @property
    def name(self) -> str:
        """The step's path; a compensation has that of the step it undoes."""
        return self.path.removesuffix(_UNDO)

    @property
    def word(self) -> str:
        """The status in a word, with other words for a compensation."""
        return _UNDO_WORDS.get(self.status, self.status) if self.path.endswith(_UNDO) else self.status

    @property
    def took(self) -> str:
        """How long the step took; empty while it runs."""
        return "" if self.ended is None or self.status == "skipped" else duration(self.ended - self.started)


@dataclass(frozen=True)
class Progress:
    """Where progress is shown."""

    show: Callable[[State], None]
    note: Callable[[str], None]


def steps_of(state: State) -> list[Step]:
    """Return the rows of a state in the order in which the steps began."""
    records = state["records"]
    rows = records.values() if isinstance(records, Mapping) else records
    return sorted(map(_step, rows), key=lambda step: (step.started, step.ended or math.inf))


def _step(row: Mapping[str, Any]) -> Step:
    return Step(row["path"], row["status"], row["started"], row.get("ended"), row.get("detail") or "")


def failed_step(state: State) -> str | None:
    """Return the path of the step that failed last (what it broke on the way up failed with it), or None."""
    failed = [step for step in steps_of(state) if step.status == "failed" and not step.path.endswith(_UNDO)]
    return failed[-1].path if failed else None


def changed_steps(before: State | None, after: State) -> list[Step]:
    """Return the steps that are new or have another status or detail than before."""
    known = {step.path: step for step in steps_of(before)} if before else {}
    return [step for step in steps_of(after) if known.get(step.path) != step]


@contextmanager
def live(title: str, since: State | None = None) -> Iterator[Progress]:
    """Show the progress of one run inside the block.

    Args:
        title: Stands above the table.
        since: A state that was shown before: lines tell what is new since then.
    """
    if is_terminal():
        with _table(title) as progress:
            yield progress
    else:
        yield _lines(since)


def step_line(step: Step) -> str:
    """Return a step as one line of text."""
    mark = _MARKS.get(step.word, "●")
    detail = clean(step.detail)
    parts = (f"  {mark} {clean(step.name):<32}", coloured(step.word), step.took, detail)
    return " ".join(part for part in parts if part).rstrip()


def _lines(since: State | None) -> Progress:
    seen: dict[str, Any] = {"state": since, "notes": set()}

    def show(state: State) -> None:
        for step in changed_steps(seen["state"], state):
            click.echo(step_line(step))
        seen["state"] = state

    def note(sentence: str) -> None:
        if sentence not in seen["notes"]:
            seen["notes"].add(sentence)
            click.echo(sentence, err=True)

    return Progress(show, note)


@contextmanager
def _table(title: str) -> Iterator[Progress]:
    console = Console(highlight=False)
    with Live(Text(title), console=console, refresh_per_second=8, transient=False) as view:
        yield Progress(
            show=lambda state: view.update(_rendered(title, state, console.width)),
            note=lambda sentence: view.update(Text(sentence, style="yellow")),
        )


def _rendered(title: str, state: State, width: int) -> Group:
    table = Table.grid(padding=(0, 1))
    steps = steps_of(state)
    for step in steps[-_ROWS_SHOWN:]:
        style = _STYLES.get(step.word, "")
        mark = Spinner("dots", style=style) if step.status == "running" else Text(_MARKS.get(step.word, "●"), style)
        detail = Text(shortened(clean(step.detail), max(20, width - 64)), "dim")
        table.add_row(" ", mark, Text(clean(step.name)), Text(step.word, style), Text(step.took, "dim"), detail)
    hidden = len(steps) - _ROWS_SHOWN
    before = [Text(f"   ... {hidden} steps before", "dim")] if hidden > 0 else []
    status = str(state.get("status", ""))
    heading = Text.assemble((title, "bold"), "  ", (status, _STYLES.get(status, "")))
    return Group(heading, *before, table)

"""Live progress of a run: a table that changes in place on a terminal, one line for each change anywhere else.

Both are drawn from the `state` query, with the names that the plan gives its steps. What changed between two states is
a pure function; the rest is drawing. A line keeps to 100 columns: what does not fit is in `saga show`, and the whole
text of a problem comes with the end of the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import click
from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from cli.output import clean, coloured, duration, is_terminal, shortened

State = Mapping[str, Any]
Names = Mapping[str, str]
"""What the plan calls its steps, by step id; a step without a name of its own is not among them."""

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
_LINE = 99
_PATH_WIDTH, _NAME_WIDTH = 20, 34
_LEAST_DETAIL = 20


@dataclass(frozen=True)
class Step:
    """A row of the table of steps, as the state has it; times in milliseconds. `title` is the plan's name for it."""

    path: str
    status: str
    started: int
    ended: int | None
    detail: str
    title: str = ""

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

    show: Callable[[State, Names], None]
    note: Callable[[str], None]


def steps_of(state: State, names: Names = MappingProxyType({})) -> list[Step]:
    """Return the rows of a state in the order in which the steps began.

    A block that failed with a step inside it has that step's detail, which is told once, at the step.
    """
    steps = [_step(row, names) for row in state["records"]]
    causes = [_cause(step, steps[number + 1 :]) for number, step in enumerate(steps)]
    return [replace(step, detail=f"see {cause}") if cause else step for step, cause in zip(steps, causes, strict=True)]


def _step(row: Mapping[str, Any], names: Names) -> Step:
    path: str = row["path"]
    title = names.get(path.removesuffix(_UNDO).rpartition("/")[2], "")
    return Step(path, row["status"], row["started"], row.get("ended"), row.get("detail") or "", title)


def _cause(step: Step, later: Sequence[Step]) -> str | None:
    """Return the innermost step that failed with the same detail while `step` ran, or None."""
    if step.status != "failed" or not step.detail or step.ended is None:
        return None
    inner = (other for other in reversed(later) if other.status == "failed" and other.detail == step.detail)
    return next((other.path for other in inner if other.ended is not None and other.started <= step.ended), None)


def failed_step(state: State) -> str | None:
    """Return the path of the step that failed last (what it broke on the way up failed with it), or None."""
    failed = [step for step in steps_of(state) if step.status == "failed" and not step.path.endswith(_UNDO)]
    return failed[-1].path if failed else None


def changed_steps(before: State | None, after: State, names: Names = MappingProxyType({})) -> list[Step]:
    """Return the steps that are new or have another status or detail than before."""
    known = {step.path: step for step in steps_of(before, names)} if before else {}
    return [step for step in steps_of(after, names) if known.get(step.path) != step]


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


def step_line(step: Step, names: Names = MappingProxyType({})) -> str:
    """Return a step as one line of text; there is a column for names where the plan has any."""
    mark, name = _MARKS.get(step.word, "●"), shortened(clean(step.name), _LINE // 2)
    width = _width_of(names)
    title = f" {shortened(clean(step.title), width):<{width}}" if names else ""
    begin = f"  {mark} {name:<{_PATH_WIDTH}}{title}"
    end = " ".join(part for part in (step.word, step.took) if part)
    detail = shortened(clean(step.detail), max(_LEAST_DETAIL, _LINE - len(begin) - len(end) - 2))
    return " ".join(part for part in (begin, end.replace(step.word, coloured(step.word), 1), detail) if part).rstrip()


def _width_of(names: Names) -> int:
    return min(_NAME_WIDTH, max((len(name) for name in names.values()), default=0))


def _lines(since: State | None) -> Progress:
    seen: dict[str, Any] = {"state": since, "notes": set()}

    def show(state: State, names: Names) -> None:
        for step in changed_steps(seen["state"], state, names):
            click.echo(step_line(step, names))
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
            show=lambda state, names: view.update(_rendered(title, state, names, console.width)),
            note=lambda sentence: view.update(Text(sentence, style="yellow")),
        )


def _rendered(title: str, state: State, names: Names, width: int) -> Group:
    table = Table.grid(padding=(0, 1))
    steps = steps_of(state, names)
    for step in steps[-_ROWS_SHOWN:]:
        style = _STYLES.get(step.word, "")
        mark = Spinner("dots", style=style) if step.status == "running" else Text(_MARKS.get(step.word, "●"), style)
        name = Text(shortened(clean(step.title), _NAME_WIDTH), "dim")
        room = width - 34 - _PATH_WIDTH - _width_of(names)
        detail = Text(shortened(clean(step.detail), max(_LEAST_DETAIL, room)), "dim")
        table.add_row(" ", mark, Text(clean(step.name)), name, Text(step.word, style), Text(step.took, "dim"), detail)
    hidden = len(steps) - _ROWS_SHOWN
    before = [Text(f"   ... {hidden} steps before", "dim")] if hidden > 0 else []
    status = str(state.get("status", ""))
    heading = Text.assemble((title, "bold"), "  ", (status, _STYLES.get(status, "")))
    return Group(heading, *before, table)

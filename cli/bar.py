"""A progress bar on a terminal, for commands that go through many things."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(title: str, total: int, passed: int = 0) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr inside the block, if it is a terminal; it is moved by being told how many are passed."""
    from rich.console import Console  # noqa: PLC0415  # only who needs a bar pays for it
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    console = Console(stderr=True)
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("", total=total, completed=passed)
        yield lambda passed: bar.update(task, completed=passed)
